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
	tick = 250 * time.Millisecond // between two updates of the display
	told = 5 * time.Second        // between two lines of a log
)

// transfer is the progress of a job's layers.
type transfer struct {
	mu    sync.Mutex
	items []*item // in the order of the layers
	all   item
}

// Show displays the progress of the job, under a title such as "pushing weights", while
// work runs it. It returns the error of work, or else of the display.
func (j Job) Show(ctx context.Context, title string, display Display, work func(context.Context, Job) error) error {
	t := &transfer{all: item{name: title, id: digest.FromString(title)}}
	for _, l := range j.Layers {
		t.items = append(t.items, &item{name: l.Name, id: digest.FromString(title + "\n" + l.Name), size: l.Size})
		t.all.size += l.Size
	}
	j.Progress = t.follow
	return t.show(ctx, display, func(ctx context.Context) error { return work(ctx, j) })
}

// follow is the [Progress] of a job that is shown.
func (t *transfer) follow(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.items[e.Layer]
	switch e.State {
	case Waiting, Failed:
	case Moving:
		t.at(i, e.Bytes)
	case Present:
		t.finish(i, "already there")
	case Mounted:
		t.finish(i, "mounted")
	case Done:
		t.finish(i, "done")
	}
}

// at records that the first done bytes have arrived. Bytes that were there before the
// first report of a layer don't count towards the rate: an earlier transfer moved
// them.
func (t *transfer) at(i *item, done int64) {
	moved := done - i.done
	if i.started.IsZero() {
		i.start(time.Now(), done)
		t.all.skip(moved)
		return
	}
	i.done = done
	t.all.done += moved
}

// finish records that a layer has arrived, and how.
func (t *transfer) finish(i *item, how string) {
	if i.how != "" {
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

func (t *transfer) show(ctx context.Context, display Display, work func(context.Context) error) error {
	status := make(chan *client.SolveStatus)
	shown := make(chan error, 1)
	go func() {
		err := display(context.WithoutCancel(ctx), status)
		for range status {
			continue // a broken display must not block the work
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

func (t *transfer) watch(done <-chan struct{}, status chan<- *client.SolveStatus) {
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

// end sends the final status of everything.
func (t *transfer) end(status chan<- *client.SolveStatus, err error) {
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

// status returns the current status for a display.
func (t *transfer) status(now time.Time, tell bool) *client.SolveStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	var s client.SolveStatus
	t.all.show(&s, now)
	if tell && t.all.size > 0 {
		s.Logs = append(s.Logs, &client.VertexLog{
			Vertex: t.all.id, Stream: 1, Data: []byte(t.all.line(now) + "\n"), Timestamp: now,
		})
	}
	for _, i := range t.items {
		if !i.started.IsZero() && !i.quiet {
			i.show(&s, now)
			i.quiet = !i.ended.IsZero()
		}
	}
	return &s
}
