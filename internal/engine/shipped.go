package engine

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
)

// shipped lists the programs that a release has next to its command, with their SHA-256, as
// "buildkitd=…,runc=…,supervisor=…". The linker sets it (internal/release). `go build`
// leaves it empty, and such a command looks for none.
var shipped string

// release holds the programs of a release.
type release struct {
	dir  string
	sums map[string]string
}

// thisRelease returns the release that the running command is part of. It follows a link to
// the command, so that a link on the PATH is enough.
func thisRelease() (r release, ok bool) {
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	return releaseIn(filepath.Dir(path), shipped), err == nil && shipped != ""
}

func releaseIn(dir, sums string) release {
	r := release{dir: dir, sums: map[string]string{}}
	for item := range strings.SplitSeq(sums, ",") {
		name, sum, _ := strings.Cut(item, "=")
		r.sums[name] = sum
	}
	return r
}

func (r release) path(name string) string { return filepath.Join(r.dir, name) }

// verify compares the programs with what the command was released with: nothing that is
// altered, truncated or from another release is run.
func (r release) verify() error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(r.sums)) {
		got, err := sha256Of(r.path(name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			problems = append(problems, fmt.Errorf("%q is missing", r.path(name)))
		case err != nil:
			problems = append(problems, err)
		case got != r.sums[name]:
			problems = append(problems, r.unlike(name, got))
		}
	}
	err := failure.New(failure.NoEngine, errors.Join(problems...))
	return failure.WithHint(failure.WithHint(err, elsewhere), "unpack the whole release again, into an empty directory")
}

// unlike describes a difference. It reads the version from the file: an unverified program
// is not run.
func (r release) unlike(name, got string) error {
	info, err := buildinfo.ReadFile(r.path(name))
	if err == nil {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/moby/buildkit" && m.Version != Version {
				return fmt.Errorf("%q is BuildKit %s; this command was released with %s", r.path(name), m.Version, Version)
			}
		}
	}
	return fmt.Errorf("%q is not what this command was released with: its sha256 is %s, not %s", r.path(name), got, r.sums[name])
}

func sha256Of(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // next to this program
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, err := digest.SHA256.FromReader(f)
	return sum.Encoded(), err
}
