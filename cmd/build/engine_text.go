package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/humanize"
)

func engineStatus(_ context.Context, a *app, o engineOptions, e engine.Options) error {
	st, err := engine.StatusOf(e)
	if err != nil {
		return err
	}
	if !o.json {
		return a.ui.result(statusText(st))
	}
	text, err := json.MarshalIndent(st, "", "  ")
	return errors.Join(err, a.ui.result(string(text)+"\n"))
}

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
	fmt.Fprintf(&b, "root     %s: %s, %s free\n", st.Root, humanize.Size(st.Disk), humanize.Size(st.Free))
	fmt.Fprintf(&b, "log      %s\n", st.Log)
	return b.String()
}

func engineDu(ctx context.Context, a *app, _ engineOptions, o engine.Options) (err error) {
	e, err := engine.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	records, err := e.Du(ctx)
	if err != nil {
		return err
	}
	return a.ui.result(usageText(records))
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
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\n", humanize.Size(r.Size), r.RecordType, r.InUse, firstLine(r.Description))
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%s in %s, %s of it not in use\n",
		humanize.Size(total), humanize.Count(len(records), "record"), humanize.Size(unused))
	return b.String()
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > helpWidth {
		s = string(r[:helpWidth-1]) + "…"
	}
	return s
}

func enginePrune(ctx context.Context, a *app, o engineOptions, options engine.Options) (err error) {
	keep, err := parseSize(o.keep)
	if err != nil {
		return failure.New(failure.Usage, fmt.Errorf("flag --keep: %w", err))
	}
	e, err := engine.Open(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	records := 0
	freed, err := e.Prune(ctx, engine.PruneOptions{All: o.all, KeepStorage: keep}, func(client.UsageInfo) { records++ })
	if err != nil {
		return err
	}
	return a.ui.result(fmt.Sprintf("freed %s in %s\n", humanize.Size(freed), humanize.Count(records, "record")))
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
