// Package report words what the command tells: what was built, what models there are, how
// the engine is.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"lamina.build"

	"lamina.build/internal/humanize"
	"lamina.build/output"
	"lamina.build/stages"
)

// Image is what a build ends with: its digest, its layers, what it lacks, where it was
// saved and what brings it to where it runs. again are the words of a command that builds it
// once more, but for its names and outputs.
func Image(m lamina.Made, again []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", m.Name, m.Variant, m.Platform)
	if id := cmp.Or(m.Manifest, m.Descriptor.Digest); id != "" { // the one to compare builds by
		fmt.Fprintf(&b, "%s\n", id)
	}
	if len(m.Layers) > 0 {
		rows := append(make([][]string, 0, len(m.Layers)+2), []string{"LAYER", "SIZE", "WHAT"})
		for _, l := range m.Layers {
			stage, what := l.Stage, l.What
			if stage == "" {
				stage, what = "layer", l.Digest.String()
			}
			rows = append(rows, []string{stage, humanize.Size(l.Size), what})
		}
		total := []string{"total", humanize.Size(m.Size()), humanize.Count(len(m.Layers), "layer") + " as stored"}
		b.WriteString("\n" + table("  ", append(rows, total)))
	}
	b.WriteString(missing(m))
	fmt.Fprintf(&b, "\nbuilt in %s", humanize.Duration(m.Took))
	if m.Engine != "" {
		fmt.Fprintf(&b, " with %s", m.Engine)
	}
	b.WriteString("\n")
	for _, s := range m.Saved {
		fmt.Fprintf(&b, "\n%s\n", where(s))
		if s.Manifest != "" && s.Manifest != m.Manifest { // it is compressed otherwise
			fmt.Fprintf(&b, "  %-7s %s\n", "digest", s.Manifest)
		}
		b.WriteString(loading(s, m.Name+":"+m.Variant, again))
	}
	return b.String()
}

// missing tells what one might look for in the image and not find.
func missing(m lamina.Made) string {
	var b strings.Builder
	if len(m.LeftOut) > 0 {
		b.WriteString("\nleft out, since it is optional:\n")
	}
	for _, what := range m.LeftOut {
		fmt.Fprintf(&b, "  %s\n", what)
	}
	if len(m.Removed) > 0 {
		b.WriteString("\nremoved, since all that run the image would share it, or each build have another; " +
			"/usr/libexec/lamina/first-start makes it, keep = [\"PATH\"] under [debian] keeps it:\n")
	}
	for _, r := range m.Removed {
		fmt.Fprintf(&b, "  %s: %s\n", r.Kind, r.Path)
	}
	if len(m.Pruned) > 0 {
		rows := append(make([][]string, 0, len(m.Pruned)+1), []string{"PRUNED", "SIZE", "FROM WHEELS"})
		for _, p := range m.Pruned {
			rows = append(rows, []string{p.Rule, humanize.Size(p.Bytes), humanize.Count(p.Files, "file")})
		}
		b.WriteString("\n" + table("  ", rows))
	}
	return b.String()
}

// Planned tells which layers an image will have, and their sizes as far as the lock
// knows them.
func Planned(parts []stages.Part) string {
	row := func(stage string, l stages.Layer) []string {
		cells := []string{stage, "-", "-", l.What}
		for i, n := range []int64{l.Fetched, l.Unpacked} {
			if n != 0 {
				cells[i+1] = humanize.Size(n)
			}
		}
		return cells
	}
	rows := [][]string{{"LAYER", "FETCHED", "UNPACKED", "WHAT"}}
	var total stages.Layer
	for _, p := range parts {
		for _, l := range p.Layers {
			total.Fetched += l.Fetched
			total.Unpacked += l.Unpacked
			rows = append(rows, row(p.Stage, l))
		}
	}
	total.What = humanize.Count(len(rows)-1, "layer") + ", as far as the lock knows"
	return table("", append(rows, row("total", total)))
}

// table aligns the first column to the left, and those up to the last to the right.
func table(indent string, rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	last := len(widths) - 1
	var b strings.Builder
	for _, row := range rows {
		cells := append(make([]string, 0, len(row)), fmt.Sprintf("%-*s", widths[0], row[0]))
		for i := 1; i < last; i++ {
			cells = append(cells, fmt.Sprintf("%*s", widths[i], row[i]))
		}
		line := indent + strings.Join(append(cells, row[last]), "  ")
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// where says where the image is.
func where(s lamina.Saved) string {
	switch {
	case s.Type == output.Image && s.Push:
		return "pushed to " + strings.Join(s.Names, ", ")
	case s.Type == output.Image:
		return "kept by the engine as " + strings.Join(s.Names, ", ")
	case s.Type == output.CacheOnly:
		return "kept by the engine and in caches alone"
	case s.Loads():
		return "loaded into docker as " + strings.Join(s.Names, ", ")
	case s.ToStdout():
		return "written to the standard output"
	case s.Tag != "":
		tags := "tag " + s.Tag
		for _, name := range s.Names {
			if _, tag := output.SplitName(name); !slices.Contains(strings.Split(tags[len("tag "):], ", "), tag) {
				tags += ", " + tag
			}
		}
		return fmt.Sprintf("saved in %s, %s", s.Dest, tags)
	}
	return "saved in " + s.Dest
}
