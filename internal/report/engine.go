package report

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build"

	"lamina.build/internal/engine"
	"lamina.build/internal/humanize"
	"lamina.build/lock"
)

// Engine describes the status of our own engine.
func Engine(st engine.Status) string {
	var b strings.Builder
	state := "not running"
	switch {
	case st.Running && st.PID == 0: // without a record
		state = "starting or stopping"
	case st.Running:
		state = fmt.Sprintf("running since %s, BuildKit %s", st.Started.Local().Format(time.DateTime), st.Version)
	}
	for _, e := range st.Instead {
		fmt.Fprintf(&b, "builds   on %s, %s\n", e.Address, cmp.Or(e.Problem, "BuildKit "+e.Version))
	}
	fmt.Fprintf(&b, "engine   %s\n", state)
	if st.PID != 0 {
		fmt.Fprintf(&b, "address  %s\nbuilds   %d\nkept up  %v\n", st.Address, st.Clients, st.Kept)
	}
	fmt.Fprintf(&b, "root     %s: %s, %s free\n", st.Root, humanize.Size(st.Disk), humanize.Size(st.Free))
	fmt.Fprintf(&b, "log      %s\n", st.Log)
	return b.String()
}

// Version describes the program, the engine that it is made for, and the locks that it writes.
func Version() string {
	return fmt.Sprintf("build   %s\nengine  BuildKit %s\nlock    format %d\ngo      %s %s/%s\n",
		lamina.Version(), engine.Version, lock.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// Cache lists the records of a cache, largest first, and their total.
func Cache(records []*client.UsageInfo) string {
	slices.SortStableFunc(records, func(x, y *client.UsageInfo) int { return int(min(max(y.Size-x.Size, -1), 1)) })
	var b strings.Builder
	var total, unused int64
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SIZE\tKIND\tIN USE\tWHAT")
	for _, r := range records {
		total += r.Size
		if !r.InUse {
			unused += r.Size
		}
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\n", humanize.Size(r.Size), r.RecordType, r.InUse, firstLine(r.Description))
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%s in %s, %s of it not in use\n",
		humanize.Size(total), humanize.Count(len(records), "record"), humanize.Size(unused))
	return b.String()
}

// lineWidth limits the width of a line, in characters.
const lineWidth = 80

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > lineWidth {
		s = string(r[:lineWidth-1]) + "…"
	}
	return s
}

// Freed describes what a prune removed: bytes and records.
func Freed(bytes int64, records int) string {
	return fmt.Sprintf("freed %s in %s\n", humanize.Size(bytes), humanize.Count(records, "record"))
}

// Written describes what was written to a file or directory: "pylock.toml: 12 packages".
func Written(path string, n int, what string) string {
	return fmt.Sprintf("%s: %s\n", path, humanize.Count(n, what))
}
