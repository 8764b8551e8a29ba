package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/test/enginetest"
)

// Containers are started with runc, else crun, if it is new enough; else runc is fetched.
func TestRuntimes(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/runc"); err == nil {
		t.Skip("this machine has a runc where it is always found")
	}
	for _, tt := range []struct {
		name  string
		has   map[string]string // the programs' output of --version
		want  string            // base name, or a part of the error
		fetch bool
	}{
		{"none, and none available", nil, "neither runc nor crun", false},
		{"none", nil, "fetched", true},
		{"Debian's crun", map[string]string{"crun": "crun version 1.8.1\ncommit: f8a096be"}, "crun is version 1.8.1; the engine needs 1.9 or newer", false},
		{"Debian's crun, and one available", map[string]string{"crun": "crun version 1.8.1"}, "fetched", true},
		{"another crun", map[string]string{"crun": "crun version 1.14.4-dirty\ncommit: a"}, "crun", false},
		{"the oldest crun", map[string]string{"crun": "crun version 1.9"}, "crun", false},
		{"an old runc, and a crun", map[string]string{"runc": "runc version 1.0.3", "crun": "crun version 1.21"}, "crun", false},
		{"both", map[string]string{"runc": "runc version 1.1.5+ds1\ncommit: 1", "crun": "crun version 1.21"}, "runc", false},
		{"one without a version", map[string]string{"runc": "hello"}, "runc", false},
		{"one that doesn't run", map[string]string{"runc": ""}, "runc does not run", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, says := range tt.has {
				script := "#!/bin/sh\necho '" + says + "'\n"
				if says == "" {
					script = "#!/bin/sh\nexit 1\n"
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", dir)
			o := engine.Options{}
			if tt.fetch {
				o.FetchRunc = func(context.Context) (string, error) { return filepath.Join(dir, "fetched"), nil }
			}
			path, err := engine.FindRuntime(t.Context(), o)
			if err != nil && (!strings.Contains(err.Error(), tt.want) || len(failure.Hints(err)) == 0) || err == nil && filepath.Base(path) != tt.want {
				t.Errorf("got %s, %v, want %s", path, err, tt.want)
			}
		})
	}
	o := engine.Options{FetchRunc: func(context.Context) (string, error) { return "", errors.New("no network") }}
	t.Setenv("PATH", t.TempDir())
	if _, err := engine.FindRuntime(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("got error %v", err)
	}
}

// A runc outside sudo's PATH is found.
func TestRuntimeInSbin(t *testing.T) {
	const path = "/usr/local/sbin/runc"
	if _, err := os.Lstat(path); err == nil || os.Geteuid() != 0 {
		t.Skip("the directory of the test is in use or not writable")
	}
	if err := os.Symlink(enginetest.Runc(t), path); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	t.Setenv("PATH", t.TempDir())
	if got, err := engine.FindRuntime(t.Context(), engine.Options{}); err != nil || got != path {
		t.Errorf("got %s, %v", got, err)
	}
}

// An idle engine that was started with outdated settings is restarted; a busy one is left
// alone and reported.
func TestIdleEngineIsStartedAnew(t *testing.T) {
	o := options(t)
	vars := map[string]string{"HTTP_PROXY": "http://old.example:3128"}
	o.Env = lookup(vars)
	if _, err := engine.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	first := status(t, o)
	e := open(t, o)
	if again := status(t, o); again.PID != first.PID {
		t.Errorf("it was restarted although nothing has changed")
	}

	vars["HTTP_PROXY"] = "http://new.example:3128"
	var said []string
	o.Progress = func(line string) { said = append(said, line) }
	busy := open(t, o)
	if again := status(t, o); again.PID != first.PID || len(said) != 1 || !strings.Contains(said[0], "different proxies") {
		t.Errorf("a busy engine: %q said, and pid %d was %d", said, again.PID, first.PID)
	}
	closeEngine(t, e)
	closeEngine(t, busy)

	idle := open(t, o)
	second := status(t, o)
	environ, err := os.ReadFile(filepath.Join("/proc", processOf(t, second), "environ"))
	if second.PID == first.PID || !second.Kept || err != nil || !strings.Contains(string(environ), "new.example") || strings.Contains(string(environ), "old.example") {
		t.Errorf("an idle engine: pid %d was %d, %q, %v", second.PID, first.PID, environ, err)
	}
	closeEngine(t, idle)

	// The same with the user's configuration.
	config := []byte("[registry.\"r.example\"]\n  http = true\n[worker.oci]\n  enabled = true\n  gc = false\n  [worker.oci.labels]\n    mine = \"yes\"\n")
	o.Config, o.Registries = config, []engine.Registry{{Host: "r.example", Insecure: true}, {Host: "s.example", HTTP: true}}
	own := open(t, o)
	defer closeEngine(t, own)
	workers, err := own.Client().ListWorkers(t.Context())
	if err != nil || len(workers) != 1 || workers[0].Labels["mine"] != "yes" {
		t.Errorf("the configuration is not the user's: %v, %v", workers, err)
	}
	written, err := os.ReadFile(filepath.Join(o.StateDir, "buildkitd.toml"))
	if err != nil || !strings.HasPrefix(string(written), string(config)) || strings.Count(string(written), "r.example") != 1 || !strings.Contains(string(written), "s.example") {
		t.Errorf("it was started with %q, %v", written, err)
	}
	o.Config = []byte("root = [\n")
	if err = o.CheckConfig(); failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "line ") {
		t.Errorf("a configuration that is no TOML: %v", err)
	}
}

func processOf(t *testing.T, st engine.Status) string {
	t.Helper()
	for _, pid := range processes(st.Root) {
		if comm, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil && strings.TrimSpace(string(comm)) == "buildkitd" {
			return pid
		}
	}
	t.Fatal("there is no buildkitd")
	return ""
}

// An engine must answer soon. Fetching a runtime and pruning may take as long as they need.
func TestOnlyAnAnswerIsDueSoon(t *testing.T) {
	pruned := make(chan context.Context, 1)
	o := engine.Options{StateDir: t.TempDir(), Need: engine.Need{Disk: map[string]int64{"x": math.MaxInt64}}}
	mkdir(t, filepath.Join(o.StateDir, "root"))
	listen(t, fakeEngine{version: engine.Version, snapshotter: "overlayfs", pruned: pruned}, engine.Socket(o.StateDir))
	alive, err := atomicfile.Exclusive(t.Context(), filepath.Join(o.StateDir, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.ConnectOrStart(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "its disk has ") {
		t.Errorf("got %v", err)
	}
	if at, ok := (<-pruned).Deadline(); ok {
		t.Errorf("pruning has a deadline, %s", at)
	}
	if err = alive.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat("/usr/sbin/runc"); err == nil {
		t.Skip("this machine has a runc where it is always found")
	}
	t.Setenv("PATH", "")
	none := errors.New("no network")
	o.FetchRunc = func(ctx context.Context) (string, error) {
		if at, ok := ctx.Deadline(); ok {
			t.Errorf("fetching runc has a deadline, %s", at)
		}
		return "", none
	}
	if _, err = engine.ConnectOrStart(t.Context(), o); !errors.Is(err, none) {
		t.Errorf("got %v", err)
	}
}

// Of the clients in another container that shares the directory, nothing is seen, so an engine
// that was started there is not restarted.
func TestAnEngineOfAnotherContainerIsNotRestarted(t *testing.T) {
	var said []string
	o := engine.Options{StateDir: t.TempDir(), Progress: func(line string) { said = append(said, line) }}
	path := func(name string) string { return filepath.Join(o.StateDir, name) }
	mkdir(t, path("root"))
	listen(t, fakeEngine{version: engine.Version, snapshotter: "overlayfs"}, engine.Socket(o.StateDir))
	alive, err := atomicfile.Exclusive(t.Context(), path("alive"))
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	lease, err := atomicfile.Shared(t.Context(), path("lease"))
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Close()
	err = errors.Join(os.WriteFile(path("buildkitd.toml"), []byte("other"), 0o600), os.WriteFile(path("engine.json"), fmt.Appendf(nil, `{"pid": %d}`, os.Getpid()), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := engine.ConnectOrStart(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	closeEngine(t, e)
	if len(said) != 1 || !strings.Contains(said[0], "it was started with a different configuration; a build") {
		t.Errorf("said %q", said)
	}
}
