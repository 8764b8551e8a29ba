package engine

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"lamina.build/internal/failure"
)

// runtimes are the programs that start containers, the preferred one first, each with its
// oldest version that has the option --keep, which buildkitd uses.
func runtimes() [][2]string { return [][2]string{{"runc", "1.1.0"}, {"crun", "1.9"}} }

// findRuntime returns the program that buildkitd starts containers with. It also looks in
// directories that a user's PATH often lacks.
func findRuntime(ctx context.Context, o Options) (string, error) {
	var problems []error
	for _, r := range runtimes() {
		for _, name := range []string{r[0], "/usr/local/sbin/" + r[0], "/usr/sbin/" + r[0], "/sbin/" + r[0]} {
			path, err := exec.LookPath(name)
			if err != nil {
				continue
			}
			if err = checkRuntime(ctx, path, r[1]); err == nil {
				return filepath.Abs(path)
			}
			problems = append(problems, err)
			break
		}
	}
	const hint = "install runc 1.1 or newer, or crun 1.9 or newer: apt install runc"
	err := errors.Join(problems...)
	if err == nil {
		err = errors.New("neither runc nor crun is on the PATH")
	}
	if r, ok := thisRelease(); ok {
		shippedErr := checkRuntime(ctx, r.path("runc"), runtimes()[0][1])
		if shippedErr == nil {
			return r.path("runc"), nil
		}
		err = fmt.Errorf("%w; %w", err, shippedErr) // it needs the machine's libc and libseccomp2
	}
	if o.FetchRunc == nil {
		return "", failure.WithHint(err, hint)
	}
	if len(problems) > 0 {
		o.Progress("private engine: " + oneLine(err) + ": taking runc from Debian")
	}
	path, fetchErr := o.FetchRunc(ctx)
	if fetchErr != nil {
		return "", failure.WithHint(fmt.Errorf("%w; fetching runc: %w", err, fetchErr), hint)
	}
	return filepath.Abs(path)
}

// checkRuntime rejects a version that is too old: "crun version 1.8.1". A program that
// reports no version passes.
func checkRuntime(ctx context.Context, path, oldest string) error {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s does not run: %w", path, err)
	}
	words := strings.Fields(string(out))
	at := slices.Index(words, "version")
	if at < 0 || at+1 == len(words) {
		return nil
	}
	got, ok := parseVersion(words[at+1])
	least, _ := parseVersion(oldest)
	if ok && slices.Compare(got[:], least[:]) < 0 {
		return fmt.Errorf("%s is version %s; the engine needs %s or newer", path, words[at+1], oldest)
	}
	return nil
}
