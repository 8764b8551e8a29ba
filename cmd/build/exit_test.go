package main

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Who reads only the first line ("| head -1") ends a build as Ctrl-C does, with all that
// it has started.
func TestAReaderThatGoesAwayEndsABuild(t *testing.T) {
	if os.Getenv("LAMINA_TEST_UNHEARD") != "" {
		u := newUI(os.Stdout, os.Stderr, os.Getenv)
		ctx, stop := interruptible(t.Context(), u)
		for ctx.Err() == nil {
			u.note("at work")
			time.Sleep(time.Millisecond)
		}
		code := (&app{ui: u}).exitCode(ctx, ctx.Err())
		stop()
		os.Exit(code)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "LAMINA_TEST_UNHEARD=1")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, readErr := bufio.NewReader(stderr).ReadString('\n'); line != "build: at work\n" {
		t.Errorf("it prints %q, %v", line, readErr)
	}
	_ = stderr.Close()
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err = cmd.Wait(); cmd.ProcessState.ExitCode() != interruptedCode {
		t.Errorf("it ends with %v, want exit code %d", err, interruptedCode)
	}
}
