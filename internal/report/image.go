// Package report words what the command tells: what was built, what models there are, how
// the engine is.
package report

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"lamina.build"

	"lamina.build/internal/humanize"
	"lamina.build/output"
	"lamina.build/stages"
)

// Image is what a build ends with: its digest, its layers, what it lacks, where it was
// saved and what brings it to where it runs.
func Image(m lamina.Made) string {
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
		fmt.Fprintf(&b, "\n%s\n", where(s, m))
		if s.Manifest != "" && s.Manifest != m.Manifest { // it is compressed otherwise
			fmt.Fprintf(&b, "  %-7s %s\n", "digest", s.Manifest)
		}
		for _, l := range loading(s, m) {
			fmt.Fprintf(&b, "  %-7s %s\n", l.tool, l.command)
		}
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
func where(s lamina.Saved, m lamina.Made) string {
	switch {
	case s.Type == output.Image && s.Push:
		return "pushed to " + strings.Join(s.Names, ", ")
	case s.Type == output.Image:
		return "kept by the engine as " + strings.Join(s.Names, ", ")
	case s.Type == output.CacheOnly:
		return "kept by the engine and in caches alone"
	case s.Loads() && len(s.Names) > 0:
		return "loaded into docker as " + strings.Join(s.Names, ", ")
	case s.Loads():
		return fmt.Sprintf("loaded into docker: %s", m.Config)
	case s.ToStdout():
		return "written to the standard output"
	case s.Tag != "":
		return fmt.Sprintf("saved in %s, tag %s", s.Dest, s.Tag)
	}
	return "saved in " + s.Dest
}

type usage struct{ tool, command string }

// loading lists the commands that bring the image to where it can run. Docker
// gets it through skopeo, which unpacks zstd on the way, or as an archive of
// its own kind: the Docker of Debian 12 can load neither zstd nor OCI layouts.
func loading(s lamina.Saved, m lamina.Made) []usage {
	name := m.Name + ":" + m.Variant // what to call it where it is loaded
	if names := m.Names(); len(names) > 0 {
		name = names[0]
	}
	skopeo := func(from, to string) string { return fmt.Sprintf("skopeo copy %s %s", from, to) }
	switch {
	case s.ToStdout(), s.Loads():
		return nil
	case s.Layout():
		from := shellWord("oci:" + s.Dest + ":" + s.Tag)
		return []usage{
			{"docker", skopeo(from, "docker-daemon:"+name)},
			{"", "or build again with -o type=docker,dest=- | docker load"},
			{"podman", "podman pull " + from},
			{"skopeo", skopeo(from, remote(name))},
		}
	case s.Type == output.OCI:
		from := shellWord("oci-archive:" + s.Dest)
		return []usage{
			{"docker", skopeo(from, "docker-daemon:"+name)},
			{"podman", "podman load -i " + shellWord(s.Dest)},
			{"skopeo", skopeo(from, remote(name))},
		}
	case s.Type == output.Docker:
		return []usage{
			{"docker", "docker load -i " + shellWord(s.Dest)},
			{"podman", "podman load -i " + shellWord(s.Dest)},
			{"skopeo", skopeo(shellWord("docker-archive:"+s.Dest), remote(name))},
		}
	case s.Type == output.Image && s.Push && len(s.Names) > 0:
		return []usage{
			{"docker", "docker pull " + s.Names[0]},
			{"podman", "podman pull " + s.Names[0]},
			{"skopeo", "skopeo inspect docker://" + s.Names[0]},
		}
	}
	return nil
}

// remote is where skopeo would push the image to. A name without a registry
// gets a place holder: skopeo would take Docker Hub.
func remote(name string) string {
	host, _, found := strings.Cut(name, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		name = "REGISTRY/" + name
	}
	return "docker://" + name
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord quotes s for a shell where that is needed.
func shellWord(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
