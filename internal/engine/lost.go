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

// Explain explains the error of a build whose engine went away or whose disk is full, and
// returns any other error unchanged.
func (e *Engine) Explain(ctx context.Context, err error) error {
	if err != nil && strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error()) && !errors.Is(err, syscall.ENOSPC) && e.Kind == Private {
		return failure.WithHint(err, "if the engine's disk is full, run `build engine prune` to free space")
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
