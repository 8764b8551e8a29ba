package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"lamina.build/internal/failure"
)

// interruptedCode is what shells report for a command that Ctrl-C ended.
const interruptedCode = 130

var errInterrupted = errors.New("interrupted")

// interruptible returns a context that the first SIGINT or SIGTERM cancels, so
// that the build can clean up. The second ends the program at once.
func interruptible(parent context.Context, u *ui) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		u.note("stopping; press Ctrl-C again to stop at once")
		cancel(errInterrupted)
		<-signals
		os.Exit(interruptedCode)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// exitCode reports err, if there is one, and turns it into the exit code. What
// fails after an interruption fails because of it: gRPC words that in ways of
// its own.
func (a *app) exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(context.Cause(ctx), errInterrupted):
		a.ui.note("interrupted")
		return interruptedCode
	}
	a.ui.fail(err)
	return int(failure.KindOf(err))
}
