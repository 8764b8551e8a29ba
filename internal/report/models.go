package report

import (
	"cmp"
	"fmt"
	"strings"

	"lamina.build"

	"lamina.build/internal/humanize"
)

// Published describes a model that is in a registry now.
func Published(m lamina.Moved) string {
	what := "published"
	if m.Unchanged {
		what = "was already published"
	}
	text := fmt.Sprintf("%s %s: %s\n%s\n", m.Model.Name(), what, moved(m), m.Reference)
	if m.ModelPack != "" {
		text += m.ModelPack + "\n"
	}
	return text
}

// Pulled describes a model that is in a layout now.
func Pulled(m lamina.Moved) string {
	return fmt.Sprintf("%s in %s: %s\n%s\n", m.Model.Name(), m.Dir, moved(m), m.Manifest)
}

// Unpublished lists the places of models that were removed from a lock.
func Unpublished(places []string) string {
	if len(places) == 0 {
		return "no model was published\n"
	}
	return "removed from the lock: " + strings.Join(places, ", ") + "\n"
}

// moved describes the size of a model that was transferred.
func moved(m lamina.Moved) string {
	return humanize.Count(m.Layers, "layer") + ", " + humanize.Size(m.Model.Size())
}

// Verified lists models that were read completely, and where.
func Verified(models []lamina.Moved) string {
	var b strings.Builder
	for _, m := range models {
		fmt.Fprintf(&b, "%s in %s: %s, as locked\n", m.Model.Name(), cmp.Or(m.Reference, m.Dir), moved(m))
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
