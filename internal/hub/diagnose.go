package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lamina.build/internal/failure"
)

// ErrBytes is returned for a file whose bytes are not those that were locked.
var ErrBytes = errors.New("what comes are not the bytes that were locked")

// Diagnose says why somebody else, such as an engine, could not fetch a file,
// by asking for its first byte. An engine hashes whatever a server answers, so
// that a page that says 404 is a wrong hash to it; cause is what it made of it.
func (c *Client) Diagnose(ctx context.Context, f File, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := c.Open(ctx, f, 0, min(1, f.Size))
	if err == nil {
		err = body.Close()
	}
	what := fmt.Sprintf("fetching %q", f.Path)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case isMismatch(cause):
		err := fmt.Errorf("%s: %w: %w", what, ErrBytes, cause)
		return failure.WithHint(err, hintOfMismatch)
	}
	return failure.New(failure.Transient, fmt.Errorf("%s: %w", what, cause))
}

// isMismatch knows the engine's word for bytes with another hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
