package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build/internal/report"
)

// Headings of a page besides those of flags are keys of a command's annotations.
const (
	outputForms = "OUTPUT"
	exitStatus  = "EXIT STATUS"
	environment = "ENVIRONMENT"
	learnMore   = "LEARN MORE"
)

// seeRoot points from a subcommand to what holds for all.
const seeRoot = "Run \"build --help\" for exit statuses and environment variables."

func pageOf(c *cobra.Command) report.Page {
	p := report.Page{Command: c.CommandPath(), Short: c.Short, About: strings.TrimSpace(c.Long)}
	if p.About == "" {
		p.About = strings.ToUpper(c.Short[:1]) + c.Short[1:] + "."
	}
	use := report.Part{Title: report.Usage, Text: usageOf(c)}
	members := report.Part{Title: "COMMANDS"}
	for _, m := range c.Commands() {
		if !m.IsAvailableCommand() {
			continue
		}
		members.Rows = append(members.Rows, [2]string{m.Name(), m.Short})
		if m.Name() != "image" { // its line comes first
			use.Text += "\n" + usageOf(m)
		}
	}
	if len(members.Rows) > 0 && c.HasParent() {
		_, use.Text, _ = strings.Cut(use.Text, "\n")
	}
	p.Parts = append(p.Parts, use, members)
	if c.HasParent() {
		p.Parts = append(p.Parts, flagParts(c.Flags())...)
	} else {
		p.Parts = append(p.Parts, mainFlags(c.Flags()))
	}
	p.Parts = append(p.Parts, report.Part{Title: "EXAMPLES", Text: c.Example})
	for _, title := range []string{outputForms, exitStatus, environment} {
		p.Parts = append(p.Parts, report.Part{Title: title, Text: c.Annotations[title]})
	}
	more := cmp.Or(c.Annotations[learnMore], seeRoot)
	if c.Annotations[exitStatus] == "" || !c.HasParent() {
		p.Parts = append(p.Parts, report.Part{Title: learnMore, Text: more})
	}
	return p
}

// usageOf is the usage line of a command.
func usageOf(c *cobra.Command) string {
	if !c.HasParent() || c.Name() == "image" {
		return c.Root().Use
	}
	return c.Parent().CommandPath() + " " + c.Use
}

// flagParts returns the flags by heading, in the order in which they were added.
func flagParts(f *pflag.FlagSet) []report.Part {
	var parts []report.Part
	f.VisitAll(func(flag *pflag.Flag) {
		titles := flag.Annotations[heading]
		if len(titles) == 0 {
			return
		}
		i := slices.IndexFunc(parts, func(p report.Part) bool { return p.Title == titles[0] })
		if i < 0 {
			i, parts = len(parts), append(parts, report.Part{Title: titles[0]})
		}
		parts[i].Rows = append(parts[i].Rows, flagRow(flag))
	})
	return parts
}

// mainFlags returns the flags that most builds need, for the page of the program itself.
func mainFlags(f *pflag.FlagSet) report.Part {
	p := report.Part{Title: "MAIN FLAGS (\"build image --help\" lists all)"}
	for _, name := range []string{"variant", "tag", "push", "output", "relock", "print", "addr"} {
		p.Rows = append(p.Rows, flagRow(f.Lookup(name)))
	}
	return p
}

// flagRow is a flag as "-o, --output SPEC" and its description.
func flagRow(flag *pflag.Flag) [2]string {
	name, text := pflag.UnquoteUsage(flag)
	if d := flag.DefValue; d != "" && d != "false" && d != "[]" && d != "0" {
		text += fmt.Sprintf(" (default %s)", d)
	}
	use := "    --" + flag.Name
	if flag.Shorthand != "" {
		use = "-" + flag.Shorthand + ", --" + flag.Name
	}
	switch {
	case flag.Value.Type() == "bool":
	case flag.NoOptDefVal != "":
		use += "[=" + name + "]"
	default:
		use += " " + name
	}
	return [2]string{use, text}
}

// helpCommand is a synonym for "build COMMAND --help".
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "print the help of a command",
		Long:   "Print the help of a command, as its --help flag does.",
		Hidden: true,
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			of, _, _ := c.Root().Find(args) // the last one found
			return names(of), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err == nil && len(rest) > 0 {
				return unknown(strings.TrimPrefix(of.CommandPath()+" command", "build "), rest[0], names(of))
			}
			return a.ui.Result(pageOf(of).String())
		},
	}
}

const exitStatusText = `
0    success
1    a build step or a smoke test failed, the disk is full, or anything else
2    wrong input: flags, the spec, a lock that can't be read
3    a check failed: the lock doesn't fit its spec, builds differ, a signature or file is missing
4    no engine can be used or started
75   a network, a server or the engine failed: try again
130  interrupted`

const environmentText = `
BUILDKIT_HOST          address of the engine, as --addr
BUILDKIT_TLS_CACERT, BUILDKIT_TLS_CERT, BUILDKIT_TLS_KEY, BUILDKIT_TLS_SERVERNAME
                       for its TLS, as the flags --tls…
BUILDKIT_TLS_DIR       the same: a directory with ca.pem, cert.pem and key.pem
BUILDX_BUILDER         builder of docker buildx, as --builder
LAMINA_DEBIAN_MIRROR   where Debian packages come from, as --debian-mirror
LAMINA_PYTHON_INDEX    index of Python packages in place of PyPI, as --python-index
HF_TOKEN               token for the Hugging Face hub, sent to the hub's host only
HF_ENDPOINT            hub in place of https://huggingface.co
NETRC                  file with logins for package indexes, in place of ~/.netrc
XDG_CACHE_HOME         in place of ~/.cache: lamina/ there holds the engine, indexes, packed layers
                       and failed-step.log, the output of the last step that failed
SSL_CERT_FILE          certificates that the command trusts, in place of the system's
HTTP_PROXY, HTTPS_PROXY, NO_PROXY
                       proxies for the command and the private engine
COSIGN_PASSWORD        password of the key of --sign
SIGSTORE_ID_TOKEN      identity token for --sign=keyless; GitHub Actions has its own
DOCKER_CONFIG          directory of the config.json with registry logins
REGISTRY_AUTH_FILE     podman's file of registry logins, in place of containers/auth.json
GITHUB_ACTIONS         if true, errors and warnings are annotations of the files that they
                       are about
NO_COLOR               no colour, if set to anything
TERM                   if dumb, lines are printed as to a log`
