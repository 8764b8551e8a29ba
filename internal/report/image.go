// Package report formats what the command prints: what was built, the models, the status
// of the engine.
package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lamina.build"

	"lamina.build/internal/humanize"
	"lamina.build/output"
	"lamina.build/stages"
)

// Image is the summary of a build: its digest, its layers, what it lacks, where it was
// saved and how to load it where it runs. again is the command that builds it again, without
// names and outputs.
func Image(m lamina.Made, again []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", m.Name, m.Variant, m.Platform)
	if id := cmp.Or(m.Manifest, m.Descriptor.Digest); id != "" { // the digest to compare builds by
		fmt.Fprintf(&b, "%s\n", id)
	}
	b.WriteString(content(m))
	for _, one := range m.Images {
		fmt.Fprintf(&b, "\n%s  %s\n%s", one.Platform, one.Manifest, content(one))
	}
	if len(m.Images) > 0 { // a client loads one of them
		again = slices.DeleteFunc(slices.Clone(again), func(word string) bool { return strings.HasPrefix(word, "--platform=") })
		again = append(again, "--platform="+m.Images[0].Platform)
	}
	fmt.Fprintf(&b, "\nbuilt in %s", humanize.Duration(m.Took))
	if m.Engine != "" {
		fmt.Fprintf(&b, " with %s", m.Engine)
	}
	b.WriteString("\n")
	for _, s := range m.Saved {
		fmt.Fprintf(&b, "\n%s\n", where(s))
		if s.Manifest != "" && s.Manifest != m.Manifest { // with another compression
			fmt.Fprintf(&b, "  %-7s %s\n", "digest", s.Manifest)
		}
		b.WriteString(loading(s, m.Name+":"+m.Variant, again, len(m.Images) > 0))
	}
	if len(m.Attached) > 0 {
		b.WriteString("\nattached:\n")
	}
	for _, a := range m.Attached {
		fmt.Fprintf(&b, "  %s  %s\n", a.Digest, a.Type)
	}
	return b.String()
}

// content describes the layers of an image, and what it lacks.
func content(m lamina.Made) string {
	var b strings.Builder
	if len(m.Layers) > 0 {
		b.WriteString("\n" + layerTable(m.Layers, m.Size()))
	}
	b.WriteString(missing(m))
	if len(m.Notes) > 0 {
		fmt.Fprintf(&b, "\nnotes of the checks:\n  %s\n", strings.Join(m.Notes, "\n  "))
	}
	return b.String()
}

func layerTable(layers []lamina.Layer, size int64) string {
	rows := append(make([][]string, 0, len(layers)+2), []string{"LAYER", "SIZE", "WHAT"})
	for _, l := range layers {
		stage, what := l.Stage, l.What
		if stage == "" {
			stage, what = "layer", l.Digest.String()
		}
		rows = append(rows, []string{stage, humanize.Size(l.Size), what})
	}
	return table("  ", append(rows, []string{"total", humanize.Size(size), humanize.Count(len(layers), "layer") + " as stored"}))
}

// Inspected describes an image in a registry or a layout: its digest, its layers, how it
// starts and its attachments; of an index first what is attached to itself.
func Inspected(i lamina.Inspected) string {
	var b strings.Builder
	if index := i.Index; index != nil {
		fmt.Fprintf(&b, "%s  index of %s\n%s\n\n%s\n", i.Name, humanize.Count(1+len(i.Further), "image"), index.Digest, attached(index.Attached))
	}
	fmt.Fprintf(&b, "%s  %s\n%s\n\n%s\n", i.Name, i.Platform, i.Manifest, layerTable(i.Layers, i.Size()))
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s  %s\n", key, value)
		}
	}
	words := func(list []string) string {
		quoted := make([]string, len(list))
		for k, w := range list {
			quoted[k] = shellWord(w)
		}
		return strings.Join(quoted, " ")
	}
	if !i.Created.IsZero() {
		line("created", i.Created.UTC().Format(time.RFC3339))
	}
	line("user", i.Config.User)
	line("workdir", i.Config.WorkingDir)
	line("entrypoint", words(i.Config.Entrypoint))
	line("command", words(i.Config.Cmd))
	line("ports", strings.Join(slices.Sorted(maps.Keys(i.Config.ExposedPorts)), " "))
	b.WriteString(attached(i.Attached))
	for _, other := range i.Further {
		b.WriteString("\n" + Inspected(other))
	}
	return b.String()
}

func attached(list []lamina.Attached) string {
	if len(list) == 0 {
		return "attached    nothing\n"
	}
	var b strings.Builder
	for _, a := range list {
		text := a.Type + "  " + a.Digest.String()
		if kind := a.Predicate(); kind != "" {
			text += "  " + kind
		}
		if a.Signed {
			text += "  signed"
		}
		fmt.Fprintf(&b, "attached    %s\n", text)
	}
	return b.String()
}

// mostShown limits the differences shown for one layer.
const mostShown = 20

// VerifiedImage says whether an image equals its rebuild, and lists the differences; of an
// index first whether it equals the one of the rebuilt images.
func VerifiedImage(v lamina.Verified) string {
	texts := make([]string, 0, len(v.Further)+2)
	if index := v.Image.Index; index != nil && v.Index != "" {
		texts = append(texts, fmt.Sprintf("%s  %s  index of %s\n%s\n\n%s", v.Image.Name, v.Variant, humanize.Count(1+len(v.Further), "image"), index.Digest, verifiedIndex(v)))
	}
	texts = append(texts, verified(v))
	for _, other := range v.Further {
		texts = append(texts, verified(other))
	}
	return strings.Join(texts, "\n")
}

func verifiedIndex(v lamina.Verified) string {
	if v.Index == v.Image.Index.Digest {
		return "the same, rebuilt\n"
	}
	return fmt.Sprintf("rebuilt it is\n%s\n", v.Index)
}

func verified(v lamina.Verified) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n%s\n", v.Image.Name, v.Variant, v.Image.Platform, v.Image.Manifest)
	v.Further = nil
	if v.Equal() {
		fmt.Fprintf(&b, "\nthe same, rebuilt with %s\n", v.Engine)
		return b.String()
	}
	fmt.Fprintf(&b, "\nrebuilt with %s it is\n%s\n\n", v.Engine, v.Rebuilt)
	for _, tree := range v.Trees {
		fmt.Fprintf(&b, "differs from the tree of the image: %s\n", tree)
	}
	for _, cause := range v.Causes() {
		fmt.Fprintf(&b, "%s, which may be why\n", cause)
	}
	shown := map[string]int{}
	for _, d := range v.Differences {
		if shown[d.Layer]++; shown[d.Layer] <= mostShown {
			fmt.Fprintf(&b, "%s\n", d)
		}
	}
	for _, layer := range slices.Sorted(maps.Keys(shown)) {
		if n := shown[layer] - mostShown; n > 0 {
			fmt.Fprintf(&b, "%s: and %s\n", layer, humanize.Count(n, "more difference"))
		}
	}
	return b.String()
}

// missing lists what one might expect in the image and not find.
func missing(m lamina.Made) string {
	var b strings.Builder
	if len(m.LeftOut) > 0 {
		b.WriteString("\nleft out, since it is optional:\n")
	}
	for _, what := range m.LeftOut {
		fmt.Fprintf(&b, "  %s\n", what)
	}
	if len(m.Removed) > 0 {
		b.WriteString("\nremoved, since all containers would share it or each build would make another; " +
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

// Planned lists the layers that an image will have, and their sizes as far as the lock
// has them.
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
	total.What = humanize.Count(len(rows)-1, "layer") + ", known sizes only"
	return table("", append(rows, row("total", total)))
}

// table aligns the first column to the left, and the others except the last to the right.
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

// where describes where an output is.
func where(s lamina.Saved) string {
	switch {
	case s.Type == output.Image && s.Push:
		return "pushed to " + strings.Join(s.Names, ", ")
	case s.Type == output.Image:
		return "kept by the engine as " + strings.Join(s.Names, ", ")
	case s.Type == output.CacheOnly:
		return "kept only by the engine and in caches"
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
