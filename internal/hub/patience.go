package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lamina.build/internal/fault"
)

// The longest pause that nobody asked for, and the shortest that is worth a note.
const (
	longestPause = 30 * time.Second
	notedPause   = 5 * time.Second
)

// patience makes a request again while that may help.
type patience struct {
	client *Client
	url    string // for messages
	failed int    // attempts in a row that brought nothing
}

func (c *Client) patience(address string) *patience {
	return &patience{client: c, url: redact(address)}
}

// try makes attempts until one succeeds, or no further one may.
func (p *patience) try(ctx context.Context, attempt func() error) error {
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if err = p.again(ctx, err); err != nil {
			return err
		}
	}
}

// again waits after a failed attempt. It returns an error if that was the last.
func (p *patience) again(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("fetching %s: %w", p.url, context.Cause(ctx))
	}
	if !isPassing(err) {
		return err
	}
	p.failed++
	pause := p.pause(err)
	if p.failed >= p.client.opts.Attempts || pause > p.client.opts.Patience {
		return fault.New(fault.Transient, &UnreachableError{URL: p.url, Attempts: p.failed, Err: err})
	}
	if pause >= notedPause {
		p.client.opts.Note(fmt.Sprintf("fetching %s goes on in %s: %v", p.url, pause.Round(time.Second), err))
	}
	if err := p.client.opts.Sleep(ctx, pause); err != nil {
		return fmt.Errorf("fetching %s: %w", p.url, err)
	}
	return nil
}

// progress forgets what failed before.
func (p *patience) progress() { p.failed = 0 }

// pause is what the server asks for, else it doubles.
func (p *patience) pause(err error) time.Duration {
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Wait > 0 {
		return refused.Wait
	}
	return min(p.client.opts.Wait<<min(p.failed-1, 16), max(longestPause, p.client.opts.Wait))
}
