package report

import (
	"cmp"
	"fmt"
	"strings"

	"lamina.build"

	"lamina.build/internal/humanize"
)

// Moved describes the size of a model that was transferred.
func Moved(m lamina.Moved) string {
	return humanize.Count(m.Layers, "layer") + ", " + humanize.Size(m.Model.Size())
}

// Verified lists models that were read completely, and where.
func Verified(models []lamina.Moved) string {
	var b strings.Builder
	for _, m := range models {
		fmt.Fprintf(&b, "%s in %s: %s, as locked\n", m.Model.Name(), cmp.Or(m.Reference, m.Dir), Moved(m))
	}
	return b.String()
}

// Vendored describes what a directory has of a lock.
func Vendored(v lamina.Vendored, dir string) string {
	text := fmt.Sprintf("%s has everything locked: %s, %s", dir, humanize.Count(v.Files, "source"), humanize.Count(v.Models, "model"))
	if v.Fetched > 0 {
		text += fmt.Sprintf("; %d fetched", v.Fetched)
	}
	return text + "\n"
}

// Models lists models, their locations and their layers.
func Models(models []lamina.ListedModel, files bool) string {
	if len(models) == 0 {
		return "no model is locked\n"
	}
	var b strings.Builder
	for _, m := range models {
		fmt.Fprintf(&b, "%s  %s in %s\n  from       %s\n", m.Name, humanize.Size(m.Size), humanize.Count(len(m.Layers), "layer"), m.From)
		if m.Commit != "" {
			fmt.Fprintf(&b, "  commit     %s\n", m.Commit)
		}
		fmt.Fprintf(&b, "  in image   %s\n  published  %s\n  layout     %s\n", m.Path, orNowhere(m.Published), orNowhere(m.Layout))
		for _, l := range m.Layers {
			fmt.Fprintf(&b, "  %10s  %s\n", humanize.Size(l.Size), l.Name)
			for _, f := range l.Files {
				if files {
					fmt.Fprintf(&b, "    %10s  %s  %s\n", humanize.Size(f.Size), f.SHA256[:12], f.Path)
				}
			}
		}
	}
	return b.String()
}

func orNowhere(place string) string {
	if place == "" {
		return "nowhere"
	}
	return place
}
