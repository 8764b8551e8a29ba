package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"time"

	"lamina.build/internal/test/container"
)

// Worker is an image of the example that runs as the worker of a load-balancing endpoint.
type Worker struct {
	*container.Container

	url string
}

// Pipeline makes a worker use the stand-in for its pipeline, next to the one for diffusers.
const Pipeline = "PIPELINE=/usr/local/lib/python3.11/dist-packages/diffusers/rehearsed.py"

// Serve starts a worker, with additional variables ("KEY=value"). There is no GPU; the
// stand-in for torch simulates one.
func Serve(ctx context.Context, m *container.Machine, env ...string) (*Worker, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	env = append([]string{"WORKER_MODE=load-balancing", fmt.Sprint("PORT=", port), "REQUIRE_GPU=0", "REHEARSAL_CUDA=1", Pipeline}, env...)
	c, err := m.Start(env)
	return &Worker{c, fmt.Sprint("http://127.0.0.1:", port)}, err
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() // for the worker to take
	return l.Addr().(*net.TCPAddr).Port, nil
}

// between is the pause between two pings.
const between = 50 * time.Millisecond

// Ping waits until /ping answers with a status, and returns the body.
func (w *Worker) Ping(ctx context.Context, want int) (string, error) {
	last := "nothing"
	for {
		status, text, err := w.ping(ctx)
		switch {
		case err == nil && status == want:
			return text, nil
		case err == nil:
			last = fmt.Sprint(status, " ", text)
		}
		select {
		case <-w.Ended():
			return "", errors.New("the worker has ended")
		case <-ctx.Done():
			return "", fmt.Errorf("/ping answers %s, not %d: %w", last, want, context.Cause(ctx))
		case <-time.After(between):
		}
	}
}

func (w *Worker) ping(ctx context.Context) (status int, text string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/ping", nil)
	if err != nil {
		return 0, "", err
	}
	return send(r)
}

func send(r *http.Request) (status int, text string, err error) {
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, a.Body.Close()) }()
	data, err := io.ReadAll(a.Body)
	return a.StatusCode, string(data), err
}

// Reply is the answer to a job.
type Reply struct {
	Status   int
	Error    string
	Video    []byte
	Bytes    int
	Sound    bool
	Width    int
	Height   int
	Duration float64 // seconds
	Refresh  bool    `json:"refresh_worker"`
}

// Run sends a job: a film, a picture, and the given fields.
func (w *Worker) Run(ctx context.Context, film []byte, more map[string]any) (Reply, error) {
	job := map[string]any{"video": film, "image": Picture(256, 256)}
	maps.Copy(job, more)
	body, err := json.Marshal(job)
	if err != nil {
		return Reply{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/", bytes.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	status, text, err := send(r)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Status: status}
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		return Reply{}, fmt.Errorf("the answer to a job is %q: %w", text, err)
	}
	return reply, nil
}
