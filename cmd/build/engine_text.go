package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

func statusText(st engine.Status) string {
	var b strings.Builder
	state := "not running"
	switch {
	case st.Running && st.PID == 0: // without a record
		state = "starting or ending"
	case st.Running:
		state = fmt.Sprintf("running since %s, BuildKit %s", st.Started.Local().Format(time.DateTime), st.Version)
	}
	fmt.Fprintf(&b, "engine   %s\n", state)
	if st.PID != 0 {
		fmt.Fprintf(&b, "address  %s\nbuilds   %d\nkept up  %v\n", st.Address, st.Clients, st.Kept)
	}
	fmt.Fprintf(&b, "root     %s: %s, %s free\n", st.Root, report.Size(st.Disk), report.Size(st.Free))
	fmt.Fprintf(&b, "log      %s\n", st.Log)
	return b.String()
}

// usageText lists the records of a cache, largest first, and what they add up to.
func usageText(records []*client.UsageInfo) string {
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
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\n", report.Size(r.Size), r.RecordType, r.InUse, firstLine(r.Description))
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%s in %s, %s of it not in use\n",
		report.Size(total), report.Count(len(records), "record"), report.Size(unused))
	return b.String()
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > helpWidth {
		s = string(r[:helpWidth-1]) + "…"
	}
	return s
}

// parseSize reads "20GB" as disks are sold: in powers of ten. Nothing is zero.
func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	number, unit := s, ""
	if i := strings.IndexFunc(s, func(r rune) bool { return r >= 'A' }); i >= 0 {
		number, unit = strings.TrimSpace(s[:i]), strings.ToUpper(s[i:])
	}
	factor, ok := map[string]float64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n >= 0 && n*factor < 1<<62) {
		return 0, failure.New(failure.Usage, fmt.Errorf("%q is not a size such as 500MB or 20GB", s))
	}
	return int64(n * factor), nil
}
