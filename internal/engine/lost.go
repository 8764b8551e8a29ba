package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"lamina.build/internal/failure"
)

// ErrLost means that an engine went away during a build. Its results may be lost, and
// another engine can do the same build.
var ErrLost = errors.New("went away during the build")

// room is the hint for a full disk of an engine, with which the same flags find it.
const room = "run `build engine prune` to free space"

// fullError is an engine's disk without room. It matches [syscall.ENOSPC].
type fullError struct{ error }

func (e *fullError) Is(target error) bool { return target == syscall.ENOSPC }

func (e *fullError) Unwrap() error { return e.error }

// isFull reports whether a program found no space left on a disk, which an engine passes on
// as text.
func isFull(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error())
}

// noEngine marks an error as [failure.NoEngine], unless a disk is full: that is a plain
// failure wherever it shows, and another engine isn't the way out.
func noEngine(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return failure.New(failure.NoEngine, err)
}

// Explain explains the error of a build whose engine went away or whose disk is full, and
// returns any other error unchanged.
func (e *Engine) Explain(ctx context.Context, err error) error {
	if isFull(err) && !errors.Is(err, syscall.ENOSPC) {
		return failure.WithHint(err, "if it is the engine's disk, "+room)
	}
	if !lost(err) || ctx.Err() != nil {
		return err
	}
	if _, gone := inspect(ctx, e.client); gone == nil {
		return err // it answers: the error has another cause
	}
	err = failure.New(failure.Transient, fmt.Errorf("the engine at %s %w: %w", e.Addr, ErrLost, err))
	if e.Kind != Private {
		return failure.WithHint(err, "see the log of that buildkitd, and run the build again")
	}
	return failure.WithHint(err,
		"run the build again: finished work is kept; `build engine logs --tail 50` may say why it ended")
}

// lost reports whether err is what a client gets when the other end of a connection dies.
func lost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	return grpcerrors.Code(err) == codes.Unavailable || errors.Is(err, io.EOF) ||
		strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "connection refused")
}
