package report

import (
	"fmt"
	"strings"
)

// helpWidth is where the text of a flag is wrapped.
const helpWidth = 100

// Page is the help of one command: String formats it for a terminal, Roff as a manual
// page.
type Page struct {
	Command, Short, About string
	Parts                 []Part
}

// Part is the text below one heading: rows of a word and its description, or a text
// to print as is.
type Part struct {
	Title string
	Rows  [][2]string
	Text  string
}

// Usage is the title of the part about the syntax of a command.
const Usage = "USAGE"

// String formats the page for a terminal.
func (p Page) String() string {
	var b strings.Builder
	b.WriteString(p.About + "\n")
	for _, s := range p.Parts {
		text := strings.Trim(s.Text+columns(s.Rows), "\n")
		if text == "" {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", s.Title)
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

// File is the name of a page for man.
func (p Page) File() string { return strings.ReplaceAll(p.Command, " ", "-") }

// Roff formats the page in the language of man(7).
func (p Page) Roff() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" Lamina\n.SH NAME\n%s \\- %s\n", strings.ToUpper(p.File()), escaped(p.File()), escaped(p.Short))
	for _, s := range p.Parts {
		if s.Text == "" && len(s.Rows) == 0 {
			continue
		}
		if s.Title == Usage {
			s.Title = "SYNOPSIS"
		}
		fmt.Fprintf(&b, ".SH %s\n", s.Title)
		for _, r := range s.Rows {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escaped(strings.TrimSpace(r[0])), escaped(r[1]))
		}
		if s.Text != "" {
			fmt.Fprintf(&b, ".nf\n%s\n.fi\n", escaped(strings.Trim(s.Text, "\n")))
		}
		if s.Title == "SYNOPSIS" {
			fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(escaped(p.About), "\n\n", "\n.PP\n"))
		}
	}
	return b.String()
}

// escaped escapes everything in a text that roff would interpret.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
