package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// helpWidth is where the text of a flag is wrapped.
const helpWidth = 100

// page is the help of one command.
type page struct {
	about    string
	usage    []string
	commands [][2]string // what may follow, with what it does
	groups   []flagGroup
	examples string
	more     []section // after the examples
}

type section struct{ title, text string }

func (p page) String() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(p.about) + "\n")
	write(&b, "USAGE", strings.Join(p.usage, "\n"))
	write(&b, "COMMANDS", columns(p.commands, widest(p.commands)))
	for _, g := range p.groups {
		write(&b, g.title, flagTable(g.FlagSet))
	}
	write(&b, "EXAMPLES", p.examples)
	for _, s := range p.more {
		write(&b, s.title, s.text)
	}
	return b.String()
}

func write(b *strings.Builder, title, text string) {
	text = strings.Trim(text, "\n")
	if text == "" {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
	}
}

// flagTable lists flags as "-o, --output SPEC   what it does".
func flagTable(f *pflag.FlagSet) string {
	var rows [][2]string
	f.VisitAll(func(flag *pflag.Flag) {
		_, text := pflag.UnquoteUsage(flag)
		if d := flag.DefValue; d != "" && d != "false" && d != "[]" && d != "0" {
			text += fmt.Sprintf(" (default %s)", d)
		}
		rows = append(rows, [2]string{flagUse(flag), text})
	})
	return columns(rows, widest(rows))
}

func flagUse(flag *pflag.Flag) string {
	short := "    "
	if flag.Shorthand != "" {
		short = "-" + flag.Shorthand + ", "
	}
	name, _ := pflag.UnquoteUsage(flag)
	switch {
	case flag.Value.Type() == "bool":
		return short + "--" + flag.Name
	case flag.NoOptDefVal != "":
		return short + "--" + flag.Name + "[=" + name + "]"
	}
	return short + "--" + flag.Name + " " + name
}

// columns sets pairs side by side and wraps the right ones.
func columns(rows [][2]string, wide int) string {
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

func widest(rows [][2]string) int {
	wide := 0
	for _, r := range rows {
		wide = max(wide, len(r[0]))
	}
	return wide
}

func rootHelp(all []command) string {
	rows := make([][2]string, len(all))
	for i, c := range all {
		rows[i] = [2]string{c.name, c.synopsis}
	}
	return page{
		about: `
Lamina builds lean GPU container images. It turns a short spec, image.toml, into
a lock of everything that the image is made of, and the lock into an image: by
digest, with the network off, the same bytes on every machine.`,
		usage: []string{
			"build [image] [DIR] [flags]",
			"build lock [DIR] [flags]",
			"build model COMMAND [flags]",
			"build engine COMMAND [flags]",
			"build version",
		},
		examples: `
$ build examples/faceblend                build, test and keep it in dist/faceblend
$ build --variant debug                   the spec of this folder, with a debugger in
$ build lock && git diff image.lock       newer packages, and which they are
$ build --print                           the graph, without building it`,
		commands: rows,
		more: append(common(), section{
			"LEARN MORE", "\"build COMMAND --help\" says more about each command.",
		}),
	}.String()
}

// learnMore points from a lesser command to what holds for all.
func learnMore() []section {
	return []section{{"LEARN MORE", "\"build --help\" lists the exit status and the environment variables."}}
}

// common are the sections that hold for every command.
func common() []section {
	return []section{
		{"EXIT STATUS", `
0    all is well
1    something failed: a step of the build, a smoke test, the disk
2    what was given is wrong: flags, the spec, a lock that can't be read
3    findings, or a lock that no longer fits its spec
4    no engine to build with
75   a passing trouble, of the network for instance: trying again may help
130  interrupted`},
		{"ENVIRONMENT", `
BUILDKIT_HOST          address of the engine, as --addr
LAMINA_DEBIAN_MIRROR   where Debian packages come from, as --debian-mirror
LAMINA_PYTHON_INDEX    index of Python packages in place of PyPI, as --python-index
HF_TOKEN               token for the Hugging Face hub; it goes to the hub's host alone
HF_ENDPOINT            another hub than https://huggingface.co
NETRC                  file with logins for package indexes, in place of ~/.netrc
XDG_CACHE_HOME         engine, indexes and packed layers are kept in its folder lamina
SSL_CERT_FILE          certificates that the resolver trusts, in place of the system's
HTTP_PROXY, HTTPS_PROXY, NO_PROXY
                       proxies for the resolver and for an engine of our own
DOCKER_CONFIG          folder of the config.json with registry logins
NO_COLOR               no colour, if it is set to anything`},
	}
}
