package lamina

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/humanize"
	"lamina.build/lock"
)

// Changes describes what a new lock changes: a line for each package that was added,
// removed or has another version, then their number.
func Changes(before, after lock.Lock) string {
	old, renewed := versionsOfAll(before), versionsOfAll(after)
	files := map[string]string{}
	for _, d := range before.Distributions {
		files[d.File] = d.SHA256
	}
	for _, d := range after.Distributions {
		id := "python " + d.Name
		if sum, ok := files[d.File]; ok && sum != d.SHA256 && slices.Equal(old[id], renewed[id]) {
			renewed[id] = []string{fmt.Sprintf("%s with different content: sha256 %s → %s", d.Version, sum[:12], d.SHA256[:12])}
		}
	}
	var b strings.Builder
	counts := map[byte]int{}
	ids := slices.AppendSeq(slices.Collect(maps.Keys(old)), maps.Keys(renewed))
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		mark, text := compare(old[id], renewed[id])
		if mark == 0 {
			continue
		}
		counts[mark]++
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%c %s %s", mark, id, text)) + "\n")
	}
	b.WriteString(changed(after, counts))
	return b.String()
}

func changed(l lock.Lock, counts map[byte]int) string {
	parts := make([]string, 0, len(l.Further)+1)
	for _, one := range l.Each() {
		text := fmt.Sprintf("%s, %s", humanize.Count(len(one.Packages), "package"), humanize.Size(packagesSize(one)))
		if len(one.Distributions) > 0 {
			text += ", " + distributionsText(one)
		}
		if len(l.Further) > 0 {
			text = one.Platform + ": " + text
		}
		parts = append(parts, text)
	}
	text := strings.Join(parts, "; ")
	if len(l.Models) > 0 {
		text += ", " + modelsText(l)
	}
	if len(counts) == 0 {
		return text + ": none changed\n"
	}
	return fmt.Sprintf("%s: %d added, %d removed, %d changed\n", text, counts['+'], counts['-'], counts['~'])
}

// Summary describes what a lock holds, a line for each kind and platform, and its total
// size.
func Summary(l lock.Lock) string {
	var lines []string
	size := modelsSize(l)
	for _, one := range l.Each() {
		on := ""
		if len(l.Further) > 0 {
			on = one.Platform + ": "
		}
		lines = append(lines, fmt.Sprintf("%s%s, %s", on, humanize.Count(len(one.Packages), "Debian package"), humanize.Size(packagesSize(one))))
		if len(one.Distributions) > 0 {
			lines = append(lines, on+distributionsText(one)+": "+distributionKinds(one.Distributions))
		}
		size += packagesSize(one) + distributionsSize(one)
	}
	if len(l.Models) > 0 {
		lines = append(lines, modelsText(l))
	}
	if len(lines) > 1 {
		lines = append(lines, humanize.Size(size)+" in all")
	}
	return strings.Join(lines, "\n") + "\n"
}

func distributionsText(l lock.Lock) string {
	return fmt.Sprintf("%s, %s", humanize.Count(len(l.Distributions), "Python distribution"), humanize.Size(distributionsSize(l)))
}

func modelsText(l lock.Lock) string {
	return fmt.Sprintf("%s, %s", humanize.Count(len(l.Models), "model"), humanize.Size(modelsSize(l)))
}

// distributionKinds counts the distributions of each kind that occurs.
func distributionKinds(list []lock.Distribution) string {
	kinds := []string{"wheel", "sdist", "git tree"}
	counts := make([]int, len(kinds))
	for _, d := range list {
		switch {
		case d.IsWheel():
			counts[0]++
		case d.File != "":
			counts[1]++
		default:
			counts[2]++
		}
	}
	var parts []string
	for i, kind := range kinds {
		if counts[i] > 0 {
			parts = append(parts, humanize.Count(counts[i], kind))
		}
	}
	return strings.Join(parts, ", ")
}

func packagesSize(l lock.Lock) int64 {
	return bytesOf(l.Packages, func(p lock.Package) int64 { return p.Size })
}

func distributionsSize(l lock.Lock) int64 {
	return bytesOf(l.Distributions, func(d lock.Distribution) int64 { return d.Size })
}

func modelsSize(l lock.Lock) int64 { return bytesOf(l.Models, lock.Model.Size) }

// versionsOfAll returns the versions of the first platform, the further platforms, and
// the versions in which these differ.
func versionsOfAll(l lock.Lock) map[string][]string {
	all := versions(l)
	for _, p := range l.Further {
		all["platform "+p.Platform] = []string{""}
		one, _ := l.For(p.Platform)
		for id, own := range versions(one) {
			if !slices.Equal(own, all[id]) {
				all[id+" on "+p.Platform] = own
			}
		}
	}
	return all
}

// versions maps "name", or "name:arch" for another architecture, to the locked versions,
// and "python name" to those of a distribution; variants may differ. A model's version
// is its commit and the digest of its files.
func versions(l lock.Lock) map[string][]string {
	_, native, _ := strings.Cut(l.Platform, "/")
	all := map[string][]string{}
	for _, p := range l.Packages {
		id := p.Name
		if p.Architecture != native && p.Architecture != "all" {
			id += ":" + p.Architecture
		}
		all[id] = append(all[id], p.Version)
	}
	for _, d := range l.Distributions {
		id := "python " + d.Name
		all[id] = append(all[id], d.Version)
	}
	for _, m := range l.Models {
		id := "model " + m.Name() + " at " + m.Path
		all[id] = append(all[id], fmt.Sprintf("%s %s (%s, %s)",
			revision(m), strings.TrimPrefix(m.Digest, "sha256:")[:12], humanize.Count(len(m.Files), "file"), humanize.Size(m.Size())))
	}
	return all
}

// revision is the model's commit, or its source if it has none.
func revision(m lock.Model) string {
	if m.Commit == "" {
		return m.From
	}
	return m.Commit[:12]
}

func compare(old, renewed []string) (mark byte, text string) {
	before, after := strings.Join(old, ", "), strings.Join(renewed, ", ")
	switch {
	case slices.Equal(old, renewed):
		return 0, ""
	case len(old) == 0:
		return '+', after
	case len(renewed) == 0:
		return '-', before
	}
	return '~', before + " → " + after
}
