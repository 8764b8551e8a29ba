package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"lamina.build/internal/console"
	"lamina.build/internal/failure"
)

// interruptedCode is the status that shells report for a command that Ctrl-C ended.
const interruptedCode = 130

var errInterrupted = errors.New("interrupted")

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP cancels, so
// that the build can clean up; the second ends the program at once. The context is also
// canceled when the reader of our output goes away ("| head -1"): a program that SIGPIPE
// ends leaves behind what it has started.
func interruptible(parent context.Context, u *console.Console) (ctx context.Context, stop func()) {
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
		u.Notef("stopping; press Ctrl-C again to stop at once")
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
		a.ui.Notef("interrupted")
		return interruptedCode
	}
	a.ui.Fail(err)
	return int(failure.KindOf(err))
}
