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

// transfer is how far the layers of a job are.
type transfer struct {
	mu    sync.Mutex
	items []*item // in the order of the layers
	all   item
}

// Show shows under a title, such as "pushing weights", how far the job is while work
// does it. It returns what work returns, or else what the display does.
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
		t.finish(i, "there already")
	case Mounted:
		t.finish(i, "mounted")
	case Done:
		t.finish(i, "done")
	}
}

// at says that the first done bytes are where they shall be. How those before it
// came there that nobody reported, at the beginning of a layer, is no part of the
// rate: an earlier transfer has moved them.
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

// finish says that a layer is where it shall be, and how that came.
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

// end sends the last word on everything.
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

// status is what a display wants to know now.
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
