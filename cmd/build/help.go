package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is where the text of a flag is wrapped.
const helpWidth = 100

// page is the help of one command: String formats it for a terminal, roff as a manual
// page.
type page struct {
	command, short, about string
	parts                 []part
}

// part is the text below one heading: rows of a word and its description, or a text
// to print as is.
type part struct {
	title string
	rows  [][2]string
	text  string
}

// Headings of a page besides those of flags. All but the first are keys of a command's
// annotations.
const (
	usage       = "USAGE"
	outputForms = "OUTPUT"
	exitStatus  = "EXIT STATUS"
	environment = "ENVIRONMENT"
	learnMore   = "LEARN MORE"
)

// seeRoot points from a subcommand to what holds for all.
const seeRoot = "Run \"build --help\" for exit statuses and environment variables."

func pageOf(c *cobra.Command) page {
	p := page{command: c.CommandPath(), short: c.Short, about: strings.TrimSpace(c.Long)}
	if p.about == "" {
		p.about = strings.ToUpper(c.Short[:1]) + c.Short[1:] + "."
	}
	use := part{title: usage, text: usageOf(c)}
	members := part{title: "COMMANDS"}
	for _, m := range c.Commands() {
		if !m.IsAvailableCommand() {
			continue
		}
		members.rows = append(members.rows, [2]string{m.Name(), m.Short})
		if m.Name() != "image" { // its line comes first
			use.text += "\n" + usageOf(m)
		}
	}
	if len(members.rows) > 0 && c.HasParent() {
		_, use.text, _ = strings.Cut(use.text, "\n")
	}
	p.parts = append(p.parts, use, members)
	if c.HasParent() {
		p.parts = append(p.parts, flagParts(c.Flags())...)
	} else {
		p.parts = append(p.parts, mainFlags(c.Flags()))
	}
	p.parts = append(p.parts, part{title: "EXAMPLES", text: c.Example})
	for _, title := range []string{outputForms, exitStatus, environment} {
		p.parts = append(p.parts, part{title: title, text: c.Annotations[title]})
	}
	more := cmp.Or(c.Annotations[learnMore], seeRoot)
	if c.Annotations[exitStatus] == "" || !c.HasParent() {
		p.parts = append(p.parts, part{title: learnMore, text: more})
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
func flagParts(f *pflag.FlagSet) []part {
	var parts []part
	f.VisitAll(func(flag *pflag.Flag) {
		titles := flag.Annotations[heading]
		if len(titles) == 0 {
			return
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.title == titles[0] })
		if i < 0 {
			i, parts = len(parts), append(parts, part{title: titles[0]})
		}
		parts[i].rows = append(parts[i].rows, flagRow(flag))
	})
	return parts
}

// mainFlags returns the flags that most builds need, for the page of the program itself.
func mainFlags(f *pflag.FlagSet) part {
	p := part{title: "MAIN FLAGS (\"build image --help\" lists all)"}
	for _, name := range []string{"variant", "tag", "push", "output", "relock", "print", "addr"} {
		p.rows = append(p.rows, flagRow(f.Lookup(name)))
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

func (p page) String() string {
	var b strings.Builder
	b.WriteString(p.about + "\n")
	for _, s := range p.parts {
		text := strings.Trim(s.text+columns(s.rows), "\n")
		if text == "" {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", s.title)
		for line := range strings.SplitSeq(text, "\n") {
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
		}
	}
	return b.String()
}

// columns prints pairs in two columns and wraps the right one.
func columns(rows [][2]string) string {
	wide := 0
	for _, r := range rows {
		wide = max(wide, len(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		left := r[0]
		for _, line := range wrap(r[1], helpWidth-wide-5) {
			fmt.Fprintf(&b, "%-*s   %s\n", wide, left, line)
			left = ""
		}
	}
	return b.String()
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
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
			return a.ui.result(pageOf(of).String())
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
