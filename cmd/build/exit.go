package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lamina.build"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

// interruptedCode is the status that shells report for a command that Ctrl-C ended.
const interruptedCode = 130

var errInterrupted = errors.New("interrupted")

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP cancels, so
// that the build can clean up; the second ends the program at once. The context is also
// canceled when the reader of our output goes away ("| head -1"): a program that SIGPIPE
// ends leaves behind what it has started.
func interruptible(parent context.Context, u *ui) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signal.Notify(signals, syscall.SIGHUP)
	}
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	go func() {
		for range pipes {
			if unheard() { // and not a closed connection
				cancel(errInterrupted)
				return
			}
		}
	}()
	go func() {
		<-signals
		u.note("stopping; press Ctrl-C again to stop at once")
		cancel(errInterrupted)
		<-signals
		os.Exit(interruptedCode)
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(pipes)
		close(pipes)
		cancel(nil)
	}
}

// unheard reports whether standard output or standard error has lost its reader.
func unheard() bool {
	fds := []unix.PollFd{{Fd: 1}, {Fd: 2}}
	_, err := unix.Poll(fds, 0)
	return err == nil && slices.ContainsFunc(fds, func(p unix.PollFd) bool { return p.Revents&(unix.POLLERR|unix.POLLHUP) != 0 })
}

// exitCode prints err, if any, and returns its exit code. An error after an
// interruption is due to it, however gRPC words it.
func (a *app) exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE) && unheard():
		return interruptedCode
	case errors.Is(context.Cause(ctx), errInterrupted):
		a.ui.note("interrupted")
		return interruptedCode
	}
	a.ui.fail(err, a.keepOutput)
	return int(failure.KindOf(err))
}

// keepOutput stores the output of the step that failed, in place of the last one's.
func (a *app) keepOutput(text string) (place string, err error) {
	dir, err := lamina.Options{Env: a.env}.CacheRoot()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", err
	}
	place = filepath.Join(dir, "failed-step.log")
	text = strings.TrimRight(report.Shown(text), "\n") + "\n" // it will be shown by another program
	return place, atomicfile.Write(place, []byte(text), 0o600)
}

// whenResumed reports that the program continues after it was stopped (Ctrl-Z).
func whenResumed() (resumed <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCONT)
	return signals, func() { signal.Stop(signals) }
}
