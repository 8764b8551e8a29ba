//go:build linux

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/process"
)

func TestHostUnfit(t *testing.T) {
	const mounts = "/dev/vda / ext4 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
	tests := []struct {
		name   string
		system string
		euid   int
		mounts string
		want   []string
		hint   string
	}{
		{"fits", "linux", 0, mounts, nil, ""},
		{"first version of cgroups", "linux", 0, "cgroup /sys/fs/cgroup/pids cgroup rw 0 0\n", nil, ""},
		{"another system", "darwin", 501, "", []string{"needs Linux", "darwin"}, "docker run"},
		{"no cgroups", "linux", 0, "", []string{"cgroups"}, "--addr"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := engine.HostUnfit(tt.system, tt.euid, tt.mounts)
			if tt.want == nil {
				if err != nil {
					t.Errorf("got error %v", err)
				}
				return
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want %q in it", err, want)
				}
			}
			if got := failure.KindOf(err); got != failure.NoEngine {
				t.Errorf("got kind %d", got)
			}
			if hints := strings.Join(failure.Hints(err), "\n"); !strings.Contains(hints, tt.hint) {
				t.Errorf("got hints %q, want %q in them", hints, tt.hint)
			}
		})
	}
}

// checkNoEngine wants an error of the right kind with each of the words, and with a hint.
func checkNoEngine(t *testing.T, err error, words ...string) {
	t.Helper()
	checkKind(t, err, failure.NoEngine, words...)
}

func checkKind(t *testing.T, err error, kind failure.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was opened")
	}
	if got := failure.KindOf(err); got != kind {
		t.Errorf("got kind %d of %v, want %d", got, err, kind)
	}
	if len(failure.Hints(err)) == 0 {
		t.Errorf("%v has no hint", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got error %q, want %q in it", err, word)
		}
	}
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	o := options(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	withState, withCache := o, o
	withState.StateDir = filepath.Join(file, "state")
	_, err := engine.Open(t.Context(), withState)
	checkNoEngine(t, err, file, "not a directory")
	withCache.CacheDir = filepath.Join(file, "cache")
	_, err = engine.Open(t.Context(), withCache)
	checkNoEngine(t, err, file, "not a directory")
}

func TestBuildkitdThatDiesAtTheStart(t *testing.T) {
	o := options(t)
	o.Config = []byte("[worker.oci]\nenabled = \"perhaps\"\n")
	_, err := engine.Open(t.Context(), o)
	checkNoEngine(t, err, "starting the engine", "toml")
	waitGone(t, o)
	o.Config = nil // and it is not the end of this directory
	closeEngine(t, open(t, o))
}

func TestRootOnOverlayfs(t *testing.T) {
	o := options(t)
	dir := t.TempDir()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		mkdir(t, filepath.Join(dir, name))
	}
	merged := filepath.Join(dir, "merged")
	options := "lowerdir=" + dir + "/lower,upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	if err := syscall.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(merged, 0); err != nil {
			t.Error(err)
		}
	})
	o.StateDir = filepath.Join(merged, "state")
	_, err := engine.Open(t.Context(), o)
	checkNoEngine(t, err, "overlayfs does not work in", o.StateDir)
	if hints := strings.Join(failure.Hints(err), "\n"); !strings.Contains(hints, "ext4") {
		t.Errorf("got hints %q, want one that names file systems", hints)
	}
	eventually(t, "the engine to end", func() bool { return !status(t, o).Running })
}

// A full disk under the engine's root is reported, whether a start or a step fills it, and
// with free space the same root works again.
func TestFullDiskOfTheRoot(t *testing.T) {
	o := options(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("nobody may mount here: %v", err)
	}
	o.StateDir = filepath.Join(disk, "state")
	t.Cleanup(func() {
		if _, err := engine.Stop(context.WithoutCancel(t.Context()), o, true); err != nil {
			t.Error(err)
		}
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	mkdir(t, o.StateDir)
	hog := filepath.Join(disk, "hog")
	fill := func() {
		t.Helper()
		data := make([]byte, 1<<20)
		file, err := os.Create(hog)
		for err == nil {
			_, err = file.Write(data)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		_ = file.Close()
	}
	fill()
	_, err := engine.Open(t.Context(), o)
	checkKind(t, err, failure.Failure, "no space left on device")
	if err = os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	e := open(t, o)
	defer closeEngine(t, e)
	step := stepState(t)
	_, err = solve(t.Context(), e, run(step, "fill", "fill"), nil)
	if err == nil {
		t.Fatal("100 MB fit into 64 MB")
	}
	fill()
	if _, err = solve(t.Context(), e, run(step, "more"), nil); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("on a full disk: got %v", err)
	}
	if err = os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	if _, err = engine.Prune(t.Context(), e.Client(), engine.PruneOptions{All: true}, nil); err != nil {
		t.Error(err)
	}
	if _, err = solve(t.Context(), e, run(step, "again"), nil); err != nil {
		t.Errorf("with room: %v", err)
	}
}

func TestNoRuntimeForContainers(t *testing.T) {
	o := options(t)
	closeEngine(t, open(t, o)) // compiles its programs
	waitGone(t, o)
	t.Setenv("PATH", t.TempDir())
	o.FetchRunc, o.StateDir = nil, filepath.Join(o.StateDir, strings.Repeat("x", 100))
	_, err := engine.Open(t.Context(), o)
	checkNoEngine(t, err, "neither runc nor crun")
	if _, err = os.Lstat(filepath.Dir(engine.Socket(o.StateDir))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's directory is still there: %v", err)
	}
	o.FetchRunc = func(context.Context) (string, error) { return "", errors.New("no mirror answers") }
	_, err = engine.Open(t.Context(), o)
	checkNoEngine(t, err, "neither runc nor crun", "no mirror answers")
}

// fakeGo replaces the go command with a script.
func fakeGo(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestEngineThatDoesNotCompile(t *testing.T) {
	o := options(t)
	o.CacheDir = t.TempDir()
	fakeGo(t, "echo GOFLAGS=$GOFLAGS CGO_ENABLED=$CGO_ENABLED; ls; echo no route to proxy >&2; exit 1\n")
	_, err := engine.Open(t.Context(), o)
	checkNoEngine(t, err, "compiling the engine", "GOFLAGS=-mod=readonly CGO_ENABLED=0", "go.mod", "go.sum", "no route to proxy")
	checkOnlyLocks(t, filepath.Join(o.CacheDir, "engine"))
}

// A compilation ends with its client, and leaves nothing running.
func TestCompilationThatIsInterrupted(t *testing.T) {
	o := options(t)
	o.CacheDir = t.TempDir()
	source := filepath.Join(o.CacheDir, "source")
	fakeGo(t, "sh -c 'sleep 60; true' "+source+" & wait\n")
	compiling := func() bool { return len(processes(source)) > 0 }
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil && !compiling() {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := engine.Open(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	eventually(t, "the compiler to end", func() bool { return !compiling() })
	checkOnlyLocks(t, filepath.Join(o.CacheDir, "engine"))

	t.Setenv(helperCache, o.CacheDir)
	client, said := process.Start(t, helperState+"="+o.StateDir)
	eventually(t, said, compiling)
	if err := client.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = client.Wait()
	eventually(t, "the compiler of a killed client to end", func() bool { return !compiling() })
}

func checkOnlyLocks(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".lock" {
			t.Errorf("%s was left behind", entry.Name())
		}
	}
}

func TestInterruptedWhileWaiting(t *testing.T) {
	o := options(t)
	closeEngine(t, open(t, o))
	waitGone(t, o)
	held, err := os.OpenFile(filepath.Join(o.StateDir, "lease"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err = syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = engine.Open(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
}

// The user's proxy serves the engine, too; nothing else of the user's environment reaches it.
func TestProxyReachesTheEngine(t *testing.T) {
	o := options(t)
	const content = "from the proxy"
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "mirror.example" {
			_, _ = w.Write([]byte(content))
		}
	}))
	defer proxy.Close()
	o.Env = lookup(map[string]string{"http_proxy": proxy.URL, "NO_PROXY": "localhost", "AWS_SECRET_ACCESS_KEY": "secret"})
	e := open(t, o)
	defer closeEngine(t, e)
	file := bkllb.HTTP("http://mirror.example/file", bkllb.Checksum(digest.FromString(content)))
	if _, err := solve(t.Context(), e, file, nil); err != nil {
		t.Errorf("fetching through the proxy: %v", err)
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pidOf(t, o, "--oci-worker-binary")), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http_proxy=" + proxy.URL, "NO_PROXY=localhost", "PATH=", "TMPDIR=" + o.StateDir} {
		if !strings.Contains(string(env), want) {
			t.Errorf("the engine's environment has no %s", want)
		}
	}
	for _, unwanted := range []string{"AWS_SECRET_ACCESS_KEY", "HOME=", "LANG="} {
		if strings.Contains(string(env), unwanted) {
			t.Errorf("the engine's environment has %s", unwanted)
		}
	}
}

// An unwritable cache is reported with a hint, whether it is new or not.
func TestReadOnlyCache(t *testing.T) {
	o := enginetest.Options(t)
	closeEngine(t, open(t, engine.Options{Where: engine.Where{Addrs: []string{enginetest.Engine(t).Addr}}})) // compiled
	for _, made := range []bool{false, true} {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		if o.StateDir = filepath.Join(dir, "engine"); made {
			mkdir(t, filepath.Join(o.StateDir, "run"))
		}
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		_, err := engine.Open(t.Context(), o)
		if failure.KindOf(err) != failure.NoEngine || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(strings.Join(failure.Hints(err), ""), "XDG_CACHE_HOME") {
			t.Errorf("made %t: got %v with hints %q", made, err, failure.Hints(err))
		}
	}
}

// The socket of another user is reported as such.
func TestEngineOfAnotherUser(t *testing.T) {
	dir, addr := serve(t, fakeEngine{version: engine.Version})
	denied := errors.New("dial unix: connect: permission denied")
	err := engine.Unusable(addr, denied)
	if want := fmt.Sprintf("belongs to user %d and group %d", os.Getuid(), os.Getgid()); !strings.Contains(err.Error(), want) || len(failure.Hints(err)) == 0 {
		t.Errorf("got %v, want %s", err, want)
	}
	if err = engine.Unusable("unix://"+dir+"/closed/s", denied); len(failure.Hints(err)) == 0 {
		t.Errorf("got %v", err)
	}
}
