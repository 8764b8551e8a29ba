//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// An engine whose directory was removed may end after another has started there.
func TestAnEngineCleansUpForNoSuccessor(t *testing.T) {
	for name, tt := range map[string]struct{ removed, followed, kept bool }{
		"a usual end":            {},
		"a removed directory":    {removed: true},
		"an engine in its place": {removed: true, followed: true, kept: true},
	} {
		state, short := filepath.Join(t.TempDir(), "engine"), filepath.Join(t.TempDir(), "short")
		c := config{state: state, root: filepath.Join(state, "root"), socket: filepath.Join(short, "engine.sock")}
		if err := os.Mkdir(state, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := openLease(c)
		if err != nil {
			t.Fatal(err)
		}
		defer l.file.Close()
		if tt.removed {
			err = os.RemoveAll(state)
		}
		if tt.followed {
			err = errors.Join(err, os.Mkdir(state, 0o700), os.WriteFile(c.path("lease"), nil, 0o600))
		}
		if err = errors.Join(err, os.Mkdir(short, 0o700), os.WriteFile(c.socket, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if l.clean(c); exists(c.socket) != tt.kept || exists(short) != tt.kept {
			t.Errorf("%s: the socket is kept: %t", name, exists(c.socket))
		}
	}
}
