package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/containerd/log"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build"

	"lamina.build/internal/console"
)

// A reader of only the first line ("| head -1") ends a build as Ctrl-C does, with
// everything that it has started.
func TestAReaderThatGoesAwayEndsABuild(t *testing.T) {
	if how := os.Getenv("LAMINA_TEST_UNHEARD"); how != "" {
		u := console.New(os.Stdout, os.Stderr, os.Getenv)
		ctx, stop := interruptible(t.Context(), u)
		steps := make(chan *client.SolveStatus)
		go func() { _ = u.Watch(ctx, lamina.Work{}, steps) }()
		for n := 0; ctx.Err() == nil; n++ {
			if how == "notes" {
				u.Notef("at work")
			} else {
				steps <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: digest.FromString(fmt.Sprint(n)), Name: "smoke: at work", Started: &time.Time{}}}}
			}
			time.Sleep(time.Millisecond)
		}
		code := (&app{ui: u}).exitCode(ctx, ctx.Err())
		stop()
		os.Exit(code)
	}
	for how, want := range map[string]string{"notes": "build: at work\n", "steps": "#1 [smoke] smoke: at work\n"} {
		t.Run(how, func(t *testing.T) { readsOneLine(t, how, want) })
	}
}

func readsOneLine(t *testing.T, how, want string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^TestAReaderThatGoesAwayEndsABuild$")
	cmd.Env = append(os.Environ(), "LAMINA_TEST_UNHEARD="+how)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, readErr := bufio.NewReader(stderr).ReadString('\n'); line != want {
		t.Errorf("it prints %q, %v", line, readErr)
	}
	_ = stderr.Close()
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err = cmd.Wait(); cmd.ProcessState.ExitCode() != interruptedCode {
		t.Errorf("it ends with %v, want exit code %d", err, interruptedCode)
	}
}

// Libraries' last words are escaped, too, and errors that they also return are not logged.
func TestLogsOfLibrariesAreShown(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLogger$")
	cmd.Env = append(os.Environ(), "LOG_HERE=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `x\x1b]52`) || strings.Contains(string(out), "\x1b") || strings.Contains(string(out), "returned") {
		t.Errorf("it printed %q, %v", out, err)
	}
}

// TestLogger is the process that logs.
func TestLogger(t *testing.T) {
	if os.Getenv("LOG_HERE") == "" {
		t.Skip("run by another test")
	}
	quieten(os.Stderr)
	log.L.Error("returned, too")
	log.L.Fatal("x\x1b]52;c;eA==\a")
}
