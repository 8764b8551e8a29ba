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

// ErrLost is an engine that ended under its work. What it made may be lost with it, and
// another engine can do the same.
var ErrLost = errors.New("ended under its work")

// Explain words the error of a build whose engine has gone away under it, or whose disk
// is full, and returns any other error as it is.
func (e *Engine) Explain(ctx context.Context, err error) error {
	if err != nil && strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error()) && !errors.Is(err, syscall.ENOSPC) && e.Kind == Private {
		return failure.WithHint(err, "where it is the engine's disk that is full, `build engine prune` makes room on it")
	}
	if !lost(err) || ctx.Err() != nil {
		return err
	}
	if _, gone := inspect(ctx, e.client); gone == nil {
		return err // it answers: the error is about something else
	}
	err = failure.New(failure.Transient, fmt.Errorf("the engine at %s %w: %w", e.Addr, ErrLost, err))
	if e.Kind != Private {
		return failure.WithHint(err, "see the log of that buildkitd, and run it again")
	}
	return failure.WithHint(err,
		"run it again: what was done is kept; `build engine logs --tail 50` may say why it ended")
}

// lost is true for what a client sees when the other end of a connection dies.
func lost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	return grpcerrors.Code(err) == codes.Unavailable || errors.Is(err, io.EOF) ||
		strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "connection refused")
}
