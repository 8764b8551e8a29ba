package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
)

// source is the module that the engine's two programs are compiled from: engine.mod pins
// buildkitd, and supervisor/ is our own. To move to another BuildKit, copy engine.mod and
// engine.sum as go.mod and go.sum into an empty directory, run
// `go get -tool github.com/moby/buildkit/cmd/buildkitd@VERSION` and `go mod tidy`, copy
// them back and set [Version].
//
//go:embed engine.mod engine.sum supervisor/*.go
var source embed.FS

const (
	buildkitdPackage = "github.com/moby/buildkit/cmd/buildkitd"
	versionVariable  = "github.com/moby/buildkit/version.Version"
	tickEvery        = 10 * time.Second
)

// binaries are the programs of the private engine.
type binaries struct {
	buildkitd, supervisor string
	release               release // that they belong to, if any
}

func binariesIn(dir string) binaries {
	return binaries{buildkitd: filepath.Join(dir, "buildkitd"), supervisor: filepath.Join(dir, "supervisor")}
}

func (b binaries) exist() bool {
	for _, path := range []string{b.buildkitd, b.supervisor} {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// compiled returns the engine's programs: those of the release, else compiled ones, which it
// compiles the first time. Their directory's name hashes all sources, so it is never outdated.
func compiled(ctx context.Context, o Options) (binaries, error) {
	if r, ok := thisRelease(); ok {
		bin := binariesIn(r.dir)
		bin.release = r
		return bin, nil
	}
	files, key, err := sourceFiles()
	if err != nil {
		return binaries{}, err
	}
	dir := filepath.Join(o.CacheDir, "engine", Version+"-"+key)
	bin := binariesIn(dir)
	if bin.exist() {
		return bin, nil
	}
	if o.Compiled {
		err = failure.New(failure.NoEngine, errors.New("this version of Lamina has no private engine yet"))
		return bin, failure.WithHint(err, "the first build compiles one, and so does `build engine start`")
	}
	if err = os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return bin, unwritable(err)
	}
	if busy, lockErr := atomicfile.Held(dir + ".lock"); busy && lockErr == nil {
		o.Progress("waiting for another process to compile the engine")
	}
	lock, err := atomicfile.Exclusive(ctx, dir+".lock")
	if err != nil {
		return bin, unwritable(err)
	}
	defer lock.Close()
	if bin.exist() { // another process has just compiled them
		return bin, nil
	}
	out, err := atomicfile.Dir(dir, 0o700)
	if err != nil {
		return bin, unwritable(err)
	}
	err = errors.Join(os.RemoveAll(dir), compile(ctx, o, out.Name(), runtime.GOARCH, files))
	if err == nil {
		err = out.Commit()
	}
	return bin, errors.Join(err, out.Close())
}

// sourceFiles returns the module's files by path, and a short hash of them, the Go version
// and the architecture.
func sourceFiles() (files map[string][]byte, key string, err error) {
	files = map[string][]byte{}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	err = fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := source.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
		files[strings.Replace(path, "engine.", "go.", 1)] = data
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("reading the engine's embedded source: %w", err)
	}
	return files, hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// Compile compiles the engine's programs, buildkitd and supervisor, into an existing, empty
// directory. A release includes them for its users.
func Compile(ctx context.Context, dir, arch string, progress func(line string)) error {
	files, _, err := sourceFiles()
	if err != nil {
		return err
	}
	return compile(ctx, Options{Progress: progress}, dir, arch, files)
}

// compile puts the programs into an existing directory, and nothing else.
func compile(ctx context.Context, o Options, dir, arch string, files map[string][]byte) error {
	goTool, err := findGo()
	if err != nil {
		return err
	}
	work := filepath.Join(dir, "work")
	for name, data := range files {
		path := filepath.Join(work, "src", name)
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			return unwritable(err)
		}
	}
	if err = os.Mkdir(filepath.Join(work, "temp"), 0o700); err != nil {
		return unwritable(err)
	}
	//nolint:gosec // the go on the user's PATH
	cmd := exec.CommandContext(ctx, goTool, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X "+versionVariable+"="+Version,
		"-o", dir+"/", buildkitdPackage, "./supervisor")
	cmd.Dir = filepath.Join(work, "src")
	// The user decides where modules come from, we decide what is built. An empty GOFLAGS
	// would let the one of `go env -w` through.
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0",
		"GOOS=linux", "GOARCH="+arch, "GOTMPDIR="+filepath.Join(work, "temp"))
	if o.Offline {
		cmd.Env = append(cmd.Env, "GOPROXY=off")
	}
	cmd.SysProcAttr = apart()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err = watchCompile(cmd, o.Progress); err == nil {
		return os.RemoveAll(work)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("compiling the engine: %w", context.Cause(ctx))
	}
	err = fmt.Errorf("compiling the engine: %w\n%s", err, tail(bytes.TrimSpace(output.Bytes()), 15))
	return failure.WithHint(failure.New(failure.NoEngine, err),
		"compiling downloads BuildKit's Go modules: check GOPROXY and HTTPS_PROXY, "+
			"or name an engine with --addr")
}

// watchCompile runs the command and reports every few seconds that it is still running.
func watchCompile(cmd *exec.Cmd, progress func(string)) error {
	// Linux sends the parent-death signal when the thread that forked ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	progress("compiling the engine, BuildKit " + Version + " (once, about two minutes)")
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go in a pid namespace: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err == nil {
				progress(fmt.Sprintf("compiled the engine in %s", time.Since(start).Round(time.Second)))
			}
			return err
		case <-tick.C:
			progress(fmt.Sprintf("still compiling the engine, %s", time.Since(start).Round(time.Second)))
		}
	}
}

// findGo also looks where Go is installed by default: sudo often has another PATH.
func findGo() (string, error) {
	for _, name := range []string{"go", "/usr/local/go/bin/go"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	err := errors.New("the engine must be compiled once, and there is no go command")
	err = failure.WithHint(failure.New(failure.NoEngine, err), "install Go 1.26 or newer (go.dev/dl) and put it on the PATH")
	return "", failure.WithHint(err, elsewhere)
}

func unwritable(err error) error {
	hint := "set XDG_CACHE_HOME to a writable directory"
	if errors.Is(err, syscall.ENOSPC) {
		hint = "free some space, or run `build engine prune`"
	}
	return failure.WithHint(noEngine(fmt.Errorf("making the engine's directory: %w", err)), hint)
}
