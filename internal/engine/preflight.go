package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"

	"lamina.build/internal/failure"
)

const (
	snapshotterLabel = "org.mobyproject.buildkit.worker.snapshotter"
	// Up to here a copying snapshotter is bearable: it writes each layer of a stage
	// once more.
	nativeLimit = 2 << 30
	infoTimeout = 10 * time.Second
)

// report is what an engine reports about itself.
type report struct {
	version string
	worker  *client.WorkerInfo // the default one; builds use no other
	free    int64              // bytes free below its root, -1 if unknown
}

func inspect(ctx context.Context, c *client.Client) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	r := report{free: -1}
	info, err := c.Info(ctx)
	if err != nil {
		return r, fmt.Errorf("asking for its version: %w", err)
	}
	r.version = info.BuildkitVersion.Version
	workers, err := c.ListWorkers(ctx)
	if err != nil {
		return r, fmt.Errorf("asking for its workers: %w", err)
	}
	if len(workers) > 0 {
		r.worker = workers[0]
	}
	return r, nil
}

// unfit returns every reason why the engine cannot do what is needed, nil if it can.
func (r report) unfit(need Need) error {
	return errors.Join(r.unfitVersion(), r.unfitWorker(need), r.unfitDisk(need.Bytes()))
}

func (r report) unfitVersion() error {
	got, ok := parseVersion(r.version)
	least, _ := parseVersion(oldest)
	if !ok || slices.Compare(got[:], least[:]) >= 0 {
		return nil
	}
	return failure.WithHint(fmt.Errorf("its version is %s; Lamina needs %s or newer", r.version, oldest),
		"update that BuildKit to "+Version)
}

func (r report) unfitWorker(need Need) error {
	if r.worker == nil {
		return errors.New("it has no worker")
	}
	var problems []error
	if r.worker.Labels[snapshotterLabel] == "native" && need.Bytes() > nativeLimit {
		slow := fmt.Errorf(
			"its snapshotter is native, which copies every layer in full: too slow for %s of packages",
			size(need.Bytes()),
		)
		problems = append(problems, failure.WithHint(slow,
			"run that BuildKit with --oci-worker-snapshotter overlayfs"))
	}
	if need.Platform != "" {
		problems = append(problems, r.unfitPlatform(need.Platform))
	}
	return errors.Join(problems...)
}

func (r report) unfitPlatform(name string) error {
	want, err := platforms.Parse(name)
	if err != nil {
		return fmt.Errorf("reading platform %q: %w", name, err)
	}
	match := platforms.OnlyStrict(want)
	if slices.ContainsFunc(r.worker.Platforms, match.Match) {
		return nil
	}
	return failure.WithHint(
		fmt.Errorf("it cannot run %s, only %v", name, platformNames(r.worker)),
		fmt.Sprintf("name an engine for that platform with --addr %s=tcp://…, or install an emulator on this one's machine: "+
			"qemu-user-static with binfmt-support, or docker run --privileged --rm tonistiigi/binfmt --install %s", name, want.Architecture),
	)
}

func platformNames(w *client.WorkerInfo) []string {
	names := make([]string, 0, len(w.Platforms))
	for _, p := range w.Platforms {
		names = append(names, platforms.Format(p))
	}
	return names
}

func (r report) unfitDisk(need int64) error {
	if r.free < 0 || need <= r.free {
		return nil
	}
	return failure.WithHint(
		&fullError{fmt.Errorf("its disk has %s free; this build needs %s", size(r.free), size(need))},
		"free some space, run `build engine prune`, or set XDG_CACHE_HOME to a larger disk",
	)
}

// remarks returns notes on an engine that is fit.
func (r report) remarks() []string {
	var lines []string
	switch _, known := parseVersion(r.version); {
	case !known:
		lines = append(lines, fmt.Sprintf(
			"it does not report its version (%q); digests are promised for BuildKit %s", r.version, Version,
		))
	case r.version != Version:
		lines = append(lines, fmt.Sprintf(
			"it is BuildKit %s; digests are promised for %s and may differ", r.version, Version,
		))
	}
	if r.worker != nil && r.worker.Labels[snapshotterLabel] == "native" {
		lines = append(lines, "its snapshotter is native, which copies every layer in full and is slow")
	}
	return lines
}

// size formats a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
