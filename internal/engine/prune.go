package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/buildkit/client"
)

// Du lists what an engine's cache holds, smallest first.
func Du(ctx context.Context, c *client.Client) ([]*client.UsageInfo, error) {
	records, err := c.DiskUsage(ctx)
	if err != nil {
		return nil, fmt.Errorf("measuring the engine's cache: %w", err)
	}
	return records, nil
}

// PruneOptions select what to remove. The zero value removes whatever is neither in use
// nor internal to BuildKit.
type PruneOptions struct {
	// All includes internal records and frontends.
	All bool
	// KeepStorage is how many bytes of cache to keep.
	KeepStorage int64
	// KeepDuration keeps what was used within it.
	KeepDuration time.Duration
	// Filters choose records in BuildKit's syntax, such as type==exec.cachemount.
	// One match is enough.
	Filters []string
}

// SetPruneOption makes PruneOptions an option of BuildKit's client.
func (p PruneOptions) SetPruneOption(info *client.PruneInfo) {
	info.All = p.All
	info.Filter = p.Filters
	info.KeepDuration = p.KeepDuration
	info.MaxUsedSpace = p.KeepStorage
}

// Prune removes records from an engine's cache and passes each to report, which may be nil.
func Prune(
	ctx context.Context, c *client.Client, p PruneOptions, report func(client.UsageInfo),
) (freed int64, err error) {
	removed := make(chan client.UsageInfo)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for record := range removed {
			freed += record.Size
			if report != nil {
				report(record)
			}
		}
	}()
	err = c.Prune(ctx, removed, p)
	close(removed)
	<-done
	if err != nil {
		return freed, fmt.Errorf("pruning the engine's cache: %w", err)
	}
	return freed, nil
}
