package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build"

	"lamina.build/internal/console"
	"lamina.build/internal/test/pty"
)

// A closed terminal ends a build as SIGHUP does. A build that ignores the signal (nohup)
// runs to its end unseen.
func TestATerminalThatIsClosed(t *testing.T) {
	if how := os.Getenv("LAMINA_TEST_TERMINAL"); how != "" {
		work(how)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Under nohup a child would inherit that the signal is ignored; one that is caught is reset.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	for how, want := range map[string]int{"build": interruptedCode, "nohup": 42} {
		t.Run(how, func(t *testing.T) {
			ours, theirs, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "-test.run", "^TestATerminalThatIsClosed$")
			cmd.Env = append(os.Environ(), "LAMINA_TEST_TERMINAL="+how, "TERM=xterm")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			_ = theirs.Close()
			for came, part := "", make([]byte, 4096); !strings.Contains(came, "wheels"); {
				n, err := ours.Read(part)
				if came += string(part[:n]); err != nil {
					t.Fatalf("it prints %q, %v", came, err)
				}
			}
			_ = ours.Close()
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != want {
				t.Errorf("it ends with %v, want exit code %d", err, want)
			}
		})
	}
}

// work is a build that prints until it is ended, or, if it ignores that its terminal is
// closed, for some seconds.
func work(how string) {
	if how == "nohup" {
		signal.Ignore(syscall.SIGHUP)
	}
	u := console.New(os.Stdout, os.Stderr, os.Getenv)
	ctx, stop := interruptible(context.Background(), u)
	steps, shown := make(chan *client.SolveStatus), make(chan error)
	go func() { shown <- u.Watch(ctx, lamina.Work{}, steps) }()
	compile := &client.Vertex{Digest: "x", Name: "x: compile", Inputs: []digest.Digest{"source"}, Started: &time.Time{}}
	steps <- &client.SolveStatus{Vertexes: []*client.Vertex{compile}}
	for n := 0; ctx.Err() == nil && (how == "build" || n < 2000); n++ {
		steps <- &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: "x", Data: fmt.Appendf(nil, "line %d\n", n)}}}
		time.Sleep(time.Millisecond)
	}
	close(steps)
	code := 42
	if err := <-shown; err != nil || ctx.Err() != nil {
		code = (&app{ui: u}).exitCode(ctx, ctx.Err())
	}
	stop()
	os.Exit(code)
}
