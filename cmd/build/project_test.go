package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lamina.build/internal/fault"
	"lamina.build/lock"
)

// A lock of an earlier format is for its versions alone.
func TestLocksOfAnEarlierFormat(t *testing.T) {
	l := lock.Lock{
		Wishes: lock.Wishes{Platform: "linux/amd64", Python: []lock.PythonRequest{{Set: "python", Lines: []string{"six"}}}},
		Distributions: []lock.Distribution{{
			Name: "six", Version: "1.16.0", File: "six-1.16.0-py2.py3-none-any.whl", URL: "https://f.example/six-1.16.0-py2.py3-none-any.whl",
			Size: 1, SHA256: sum([]byte("six")), For: []string{"python"},
		}},
	}
	p := &project{dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(p.dir, lockName), formatOne(l), 0o600); err != nil {
		t.Fatal(err)
	}
	_, ok, err := p.readLock()
	if ok || !errors.Is(err, lock.ErrOld) || fault.KindOf(err) != fault.Findings || !slices.ContainsFunc(fault.Hints(err), func(h string) bool { return strings.Contains(h, "build lock") }) {
		t.Errorf("got %v, %v", ok, err)
	}
	before, ok := p.readBefore()
	if !ok {
		t.Fatal("the lock before can't be read")
	}
	if diff := cmp.Diff(l.Distributions, before.Distributions, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("distributions (-want +got):\n%s", diff)
	}
	after := l
	after.UV.Version = "0.13.9"
	if diff := lockDiff(before, after); !strings.HasSuffix(diff, "none changed\n") {
		t.Errorf("told is %q", diff)
	}
}
