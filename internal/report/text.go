package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
)

// WriteText writes the summary that a build ends with.
func (i Image) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", i.Name, i.Variant, i.Platform)
	if id := i.digest(); id != "" {
		fmt.Fprintf(&b, "%s\n", id)
	}
	if len(i.Layers) > 0 {
		b.WriteString("\n")
		table(&b, i.rows())
	}
	i.writeMissing(&b)
	fmt.Fprintf(&b, "\nbuilt in %s", Duration(i.Took))
	if i.Engine != "" {
		fmt.Fprintf(&b, " with %s", i.Engine)
	}
	b.WriteString("\n")
	for _, s := range i.Saved {
		s.write(&b, i)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMissing tells what one might look for in the image and not find.
func (i Image) writeMissing(b *strings.Builder) {
	if len(i.LeftOut) > 0 {
		b.WriteString("\nleft out, since it is optional:\n")
	}
	for _, what := range i.LeftOut {
		fmt.Fprintf(b, "  %s\n", what)
	}
	if len(i.Pruned) == 0 {
		return
	}
	b.WriteString("\n")
	rows := []row{{"PRUNED", "SIZE", "FROM WHEELS"}}
	for _, p := range i.Pruned {
		rows = append(rows, row{p.Rule, Size(p.Bytes), Count(p.Files, "file")})
	}
	table(b, rows)
}

// digest is the one to compare builds by.
func (i Image) digest() digest.Digest {
	if i.Manifest != "" {
		return i.Manifest
	}
	return i.Descriptor.Digest
}

// row is a line of the table; the middle column is aligned to the right.
type row struct{ left, middle, right string }

func (i Image) rows() []row {
	rows := []row{{"LAYER", "SIZE", "WHAT"}}
	for _, l := range i.Layers {
		stage, what := l.Stage, l.What
		if stage == "" {
			stage, what = "layer", l.Digest.String()
		}
		rows = append(rows, row{stage, Size(l.Size), what})
	}
	return append(rows, row{"total", Size(i.Size()), Count(len(i.Layers), "layer") + " as stored"})
}

func table(b *strings.Builder, rows []row) {
	var left, middle int
	for _, r := range rows {
		left = max(left, utf8.RuneCountInString(r.left))
		middle = max(middle, utf8.RuneCountInString(r.middle))
	}
	for _, r := range rows {
		line := fmt.Sprintf("  %-*s  %*s  %s", left, r.left, middle, r.middle, r.right)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// Size writes bytes as people read them, in powers of ten as registries count.
func Size(bytes int64) string {
	switch n := float64(bytes); {
	case bytes < 1e3:
		return fmt.Sprintf("%d B", bytes)
	case n < 999.95e3:
		return fmt.Sprintf("%.1f kB", n/1e3)
	case n < 999.95e6:
		return fmt.Sprintf("%.1f MB", n/1e6)
	default:
		return fmt.Sprintf("%.2f GB", n/1e9)
	}
}

// Duration writes a time taken with as many digits as matter.
func Duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// Count writes a number of things: "1 layer", "2 layers".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
