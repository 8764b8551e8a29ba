package weights

import (
	"context"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// Display shows statuses until their channel ends.
type Display func(ctx context.Context, status chan *client.SolveStatus) error

const (
	tick = 250 * time.Millisecond // between two looks at the transfer
	told = 5 * time.Second        // between two lines for those who read a log
)

// Transfer is a number of files on their way. Many goroutines may report.
type Transfer struct {
	title string

	mu    sync.Mutex
	items []*item
	index map[string]*item
	all   item
}

// NewTransfer returns a transfer of nothing yet. The title says what it is: "pushing weights".
func NewTransfer(title string) *Transfer {
	return &Transfer{title: title, index: map[string]*item{}, all: item{name: title, id: digest.FromString(title)}}
}

// Add announces a file with its size in bytes.
func (t *Transfer) Add(name string, size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := &item{name: name, id: digest.FromString(t.title + "\n" + name), size: size}
	t.items, t.index[name] = append(t.items, i), i
	t.all.size += size
}

// At reports that the first done bytes of a file are where they shall be. How
// those before it came there that nobody reported, at the beginning of a file,
// is no part of the rate: an earlier transfer has moved them.
func (t *Transfer) At(name string, done int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index[name]
	if i == nil {
		return
	}
	moved := done - i.done
	if i.started.IsZero() {
		i.start(time.Now(), done)
		t.all.skip(moved)
		return
	}
	i.done = done
	t.all.done += moved
}

// Finish reports that a file is where it shall be, and how that came: "sent",
// "mounted", "there already".
func (t *Transfer) Finish(name, how string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index[name]
	if i == nil || i.how != "" {
		return
	}
	if i.started.IsZero() {
		i.start(time.Now(), i.size)
		t.all.skip(i.size)
	} else {
		t.all.done += i.size - i.done
	}
	i.done, i.how, i.ended = i.size, how, time.Now()
}

// Show shows the transfer while work runs, and returns what work returns, or
// else what the display does.
func (t *Transfer) Show(ctx context.Context, display Display, work func(context.Context) error) error {
	status := make(chan *client.SolveStatus)
	shown := make(chan error, 1)
	go func() {
		err := display(context.WithoutCancel(ctx), status)
		for range status {
			continue // a display that broke must not hold up the work
		}
		shown <- err
	}()
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { t.watch(done, status) })
	err := work(ctx)
	close(done)
	watcher.Wait()
	t.end(status, err)
	close(status)
	if displayErr := <-shown; err == nil {
		err = displayErr
	}
	return err
}

func (t *Transfer) watch(done <-chan struct{}, status chan<- *client.SolveStatus) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	t.mu.Lock()
	t.all.start(time.Now(), t.all.done)
	t.mu.Unlock()
	lastTold := time.Now()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			tell := now.Sub(lastTold) >= told
			if tell {
				lastTold = now
			}
			status <- t.status(now, tell)
		}
	}
}

// end sends the last word on everything.
func (t *Transfer) end(status chan<- *client.SolveStatus, err error) {
	now := time.Now()
	t.mu.Lock()
	t.all.ended = now
	for _, i := range t.items {
		if err != nil && !i.started.IsZero() && i.ended.IsZero() {
			i.ended, i.stopped = now, true
		}
	}
	t.mu.Unlock()
	status <- t.status(now, true)
}
