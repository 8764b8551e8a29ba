package console

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// github writes errors and warnings as workflow commands of GitHub Actions, which shows
// them at the lines that they are about:
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
type github struct {
	to        io.Writer // without the guard that all other output has
	workspace string    // the checkout, which annotations name files relative to
	dir       string    // of the project, which messages name its files relative to
}

// annotate writes a command for each error of a text: a line with the indented lines that
// follow it.
func (g *github) annotate(command, text string) {
	var b strings.Builder
	message := ""
	end := func() {
		if message != "" {
			fmt.Fprintf(&b, "::%s%s::%s\n", command, g.properties(message), escapeData(message))
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if message != "" && (line == "" || strings.ContainsAny(line[:1], " \t")) {
			message += "\n" + line
			continue
		}
		end()
		message = line
	}
	end()
	_, _ = io.WriteString(g.to, b.String())
}

// place matches what follows a file's name in a message: its line and maybe its column.
var place = regexp.MustCompile(`:(\d+)(?::(\d+))?: `)

// properties locates an error whose first line begins with a position in an existing
// file, possibly after prefixes such as "reading requirements: ".
func (g *github) properties(message string) string {
	first, _, _ := strings.Cut(message, "\n")
	for _, at := range place.FindAllStringSubmatchIndex(first, -1) {
		name, more := first[:at[0]], true
		for more {
			if file, ok := g.file(name); ok {
				properties := " file=" + escapeProperty(file) + ",line=" + first[at[2]:at[3]]
				if at[4] >= 0 {
					properties += ",col=" + first[at[4]:at[5]]
				}
				return properties
			}
			_, name, more = strings.Cut(name, ": ")
		}
	}
	return ""
}

// file names a file relative to the checkout.
func (g *github) file(name string) (string, bool) {
	for _, path := range []string{name, filepath.Join(g.dir, name)} {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			continue
		}
		if below, err := filepath.Rel(g.workspace, path); err == nil && filepath.IsLocal(below) {
			return filepath.ToSlash(below), true
		}
		return path, true
	}
	return "", false
}

// escapeData and escapeProperty escape what would end a command or one of its properties,
// as GitHub's toolkit does.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// commandGuard keeps the lines written through it from being workflow commands: packages
// print into our logs. A runner takes a line as a command that begins with "::", after
// what it counts as spaces, or has "##[" anywhere.
type commandGuard struct {
	to     io.Writer
	inLine bool    // the line has more than spaces
	last   [2]byte // the preceding two bytes
}

func (g *commandGuard) Write(p []byte) (int, error) {
	safe := make([]byte, 0, len(p))
	for _, c := range p {
		if c == ':' && !g.inLine || c == '[' && g.last == [2]byte{'#', '#'} {
			safe = append(safe, '\\')
		}
		safe = append(safe, c)
		switch {
		case c == '\n' || c == '\r':
			g.inLine = false
		case c > ' ' && c < 0x80: // some non-ASCII characters count as spaces, too
			g.inLine = true
		}
		g.last = [2]byte{g.last[1], c}
	}
	if _, err := g.to.Write(safe); err != nil {
		return 0, err
	}
	return len(p), nil
}

// guarded keeps commands out of a stream that a runner reads; files stay unguarded.
func guarded(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return w
		}
	}
	return &commandGuard{to: w}
}
