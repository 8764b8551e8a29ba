package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"lamina.build"

	"lamina.build/internal/debian"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/pty"
	"lamina.build/lock"
	"lamina.build/spec"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"build": main})
}

// TestScript runs the compiled command and compares its output and exit code. None of
// the scripts requires an engine.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("XDG_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fakelock":  fakeLock,
			"oldlock":   oldLock,
			"exits":     exits,
			"interrupt": interrupt,
			"terminal":  terminal,
		},
	})
}

// exits runs a command and compares its exit code: exits CODE PROGRAM ARGS…
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) {
			ts.Fatalf("running %v: %v", args[1:], err)
		}
		code = exit.ExitCode()
	}
	if got := fmt.Sprint(code); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// interrupt runs a command against an engine that never answers, and sends it SIGINT
// once it has connected: interrupt SOCKET PROGRAM ARGS…
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	var listen net.ListenConfig
	silent, err := listen.Listen(context.Background(), "unix", ts.MkAbs(args[0]))
	ts.Check(err)
	defer silent.Close()
	program := lookPath(ts, args[1])
	cmd := exec.Command(program, args[2:]...)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.Dir = &stderr, ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "LAMINA_DEBIAN_MIRROR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	c, err := silent.Accept()
	ts.Check(err)
	defer c.Close()
	ts.Check(cmd.Process.Signal(os.Interrupt))
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != interruptedCode || !strings.Contains(stderr.String(), "press Ctrl-C again") {
		ts.Fatalf("exit code %d (%v), want %d; it printed:\n%s", code, err, interruptedCode, stderr.String())
	}
}

// terminal runs a command on a terminal and writes its output to the file "terminal":
// terminal PROGRAM ARGS…
func terminal(ts *testscript.TestScript, _ bool, args []string) {
	ours, theirs, err := pty.Open()
	ts.Check(err)
	defer ours.Close()
	cmd := exec.Command(lookPath(ts, args[0]), args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = theirs, theirs, ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "NO_COLOR", "TERM"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	ts.Check(theirs.Close())
	came, _ := io.ReadAll(ours) // it ends in an error when the other side is closed
	_ = cmd.Wait()              // whatever its code
	ts.Check(os.WriteFile(ts.MkAbs("terminal"), came, 0o600))
}

func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o100 != 0 {
			return filepath.Join(dir, name)
		}
	}
	ts.Fatalf("no %s in PATH", name)
	return ""
}

// fakeLock writes a lock that fits the spec of a directory, and a mirror with the
// packages that are read without an engine: fakelock DIR MIRROR
func fakeLock(ts *testscript.TestScript, _ bool, args []string) {
	dir, mirror := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	file, err := spec.Read(os.DirFS(dir), dir)
	ts.Check(err)
	wanted, err := requirements.Read(file, os.DirFS(dir), os.Getenv)
	ts.Check(err)
	l := lock.Lock{Requirements: wanted.Lock}
	for _, suite := range wanted.Lock.Suites {
		l.Releases = append(l.Releases, lock.Release{
			Repository: debian.RepositoryOf(suite), Suite: suite, Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), SHA256: sum(nil), Signers: []string{"AB"},
		})
	}
	sets := map[string][]lock.Set{}
	for _, r := range wanted.Lock.Requests {
		for _, name := range r.Packages {
			if name == "?essential" {
				name = "dash"
			}
			sets[name] = append(sets[name], r.Set)
		}
	}
	for name, set := range sets {
		deb := fakeDeb(ts, name)
		p := lock.Package{
			Name: name, Version: "1-1", Architecture: "amd64", Repository: "debian",
			Path: path.Join("pool/main", name+"_1-1_amd64.deb"), Size: int64(len(deb)), SHA256: sum(deb), For: set,
		}
		l.Packages = append(l.Packages, p)
		ts.Check(os.MkdirAll(filepath.Join(mirror, "pool/main"), 0o755))
		ts.Check(os.WriteFile(filepath.Join(mirror, p.Path), deb, 0o644))
	}
	l.Sort()
	ts.Check(os.WriteFile(filepath.Join(dir, lamina.LockName), l.Format(), 0o644))
}

// oldLock rewrites the lock of a directory in an earlier format: oldlock DIR
func oldLock(ts *testscript.TestScript, _ bool, args []string) {
	name := filepath.Join(ts.MkAbs(args[0]), lamina.LockName)
	l, err := lock.Parse(name, []byte(ts.ReadFile(name)))
	ts.Check(err)
	ts.Check(os.WriteFile(name, e2etest.FormatOne(l), 0o644))
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// fakeDeb makes a package, with its tool if it is one that tools are taken from.
func fakeDeb(ts *testscript.TestScript, name string) []byte {
	content := map[string]string{
		"busybox-static": "./bin/busybox",
		"libeatmydata1":  "./usr/lib/x86_64-linux-gnu/libeatmydata.so.1.3.0",
	}[name]
	var data bytes.Buffer
	z := gzip.NewWriter(&data)
	w := tar.NewWriter(z)
	for _, file := range slices.DeleteFunc([]string{"./usr/share/doc/" + name + "/copyright", content}, func(s string) bool { return s == "" }) {
		ts.Check(w.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(name))}))
		_, err := w.Write([]byte(name))
		ts.Check(err)
	}
	ts.Check(errors.Join(w.Close(), z.Close()))
	var deb bytes.Buffer
	deb.WriteString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"data.tar.gz", data.Bytes()}} {
		fmt.Fprintf(&deb, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.data))
		deb.Write(m.data)
		if len(m.data)%2 == 1 {
			deb.WriteByte('\n')
		}
	}
	return deb.Bytes()
}
