package runc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine/runc"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/test/testworld"
)

const works = "#!/bin/sh\necho runc version 1.1\n"

// options uses a test's repository in place of Debian.
func options(t *testing.T, d *testworld.Debian) runc.Options {
	t.Helper()
	keys, err := debian.ParseKeys("key.asc", d.Key)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	getter := debian.NewGetter(cache)
	getter.HTTP = fetch.New(fetch.Options{Wait: time.Millisecond})
	return runc.Options{
		Mirrors: debian.Mirrors{"debian": d.URL}, CacheDir: cache, Arch: "amd64", Getter: getter,
		Keys: keys, Suites: []string{"bookworm"},
	}
}

func runcDeb(version, script string) testworld.Deb {
	return testworld.Deb{
		Name: "runc", Version: version, Architecture: "amd64", Files: map[string]string{"/usr/sbin/runc": script},
	}
}

func TestRuncIsUnpackedOnce(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	o := options(t, w.Debian(testworld.DebianOptions{}, runcDeb("1.1.5+ds1-1", works), runcDeb("1.1.5+ds1-1+deb12u1", works)))
	first, err := runc.Fetch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(o.CacheDir, "runc", "1.1.5+ds1-1+deb12u1", "runc"); first != want {
		t.Errorf("got %s, want %s", first, want)
	}
	w.Stop()
	again, err := runc.Fetch(t.Context(), o)
	if err != nil || again != first {
		t.Errorf("without a network: got %q, %v, want %s", again, err, first)
	}
}

func TestARuncThatBrokeIsUnpackedAnew(t *testing.T) {
	t.Parallel()
	o := options(t, testworld.New(t).Debian(testworld.DebianOptions{}, runcDeb("1.0", works)))
	program, err := runc.Fetch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := runc.Fetch(t.Context(), o); err != nil {
		t.Error(err)
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	noLibrary := "#!/bin/sh\necho 'error while loading shared libraries: libseccomp.so.2: cannot open shared object file' >&2\nexit 127\n"
	for _, tc := range []struct {
		name string
		deb  testworld.Deb
		stop bool
		want string
		kind failure.Kind
		hint string
	}{
		{"a library", runcDeb("1.0", noLibrary), false, "libseccomp.so.2", failure.NoEngine, "install libseccomp2"},
		{"another problem", runcDeb("1.0", "#!/bin/sh\nexit 3\n"), false, "exit status 3", failure.NoEngine, "install runc or crun"},
		{"the program", testworld.Deb{Name: "runc"}, false, `no file "usr/sbin/runc"`, failure.Failure, ""},
		{"the package", testworld.Deb{Name: "crun"}, false, `no package "runc" for amd64`, failure.Failure, ""},
		{"the network", runcDeb("1.0", works), true, "gave up after", failure.Transient, "check the network"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			o := options(t, w.Debian(testworld.DebianOptions{}, tc.deb))
			if tc.stop {
				w.Stop()
			}
			_, err := runc.Fetch(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tc.want) || failure.KindOf(err) != tc.kind {
				t.Errorf("got %v (kind %d), want %q (kind %d)", err, failure.KindOf(err), tc.want, tc.kind)
			}
			if hints := strings.Join(failure.Hints(err), "\n"); !strings.Contains(hints, tc.hint) {
				t.Errorf("hints: got %q, want %q", hints, tc.hint)
			}
		})
	}
}

func TestRealRunc(t *testing.T) {
	mirrors := testworld.RealMirrors(t)
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64"}[runtime.GOARCH]
	program, err := runc.Fetch(t.Context(), runc.Options{
		Mirrors: mirrors, CacheDir: t.TempDir(), Arch: arch,
	})
	if err != nil {
		t.Fatal(err, failure.Hints(err))
	}
	out, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "runc version") {
		t.Errorf("got %q, %v", out, err)
	}
}
