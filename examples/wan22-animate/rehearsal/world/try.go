package world

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"lamina.build/internal/test/container"
	"lamina.build/internal/test/testworld"
)

// TextEncoder is the largest file of the model.
const TextEncoder = "models_t5_umt5-xxl-enc-bf16.pth"

// Trial is the result of trying an image.
type Trial struct {
	Ready time.Duration // from its start until it accepted jobs
	Job   time.Duration
	Film  Film // the result
}

// tryFor limits the time of a trial.
const tryFor = 2 * time.Minute

// Try starts an image, waits until it is ready, runs a job in it, and stops it. One
// without weights fetches them from the world's hub, where the connection breaks in the
// middle of the largest file.
func (w *World) Try(ctx context.Context, m *container.Machine, fetches bool) (t Trial, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tryFor, fmt.Errorf("the trial is not done after %s", tryFor))
	defer cancel()
	if fetches {
		w.Hub.CDN.Fail("GET "+w.Large(TextEncoder), testworld.Cut(1))
		defer w.Hub.CDN.Heal()
	}
	start := time.Now()
	worker, err := Serve(ctx, m, w.Env()...)
	if err != nil {
		return t, err
	}
	defer worker.Remove()
	if _, err = worker.Ping(ctx, http.StatusOK); err != nil {
		return t, worker.explain(err)
	}
	t.Ready = time.Since(start)
	start = time.Now()
	t.Film, err = worker.film(ctx)
	t.Job = time.Since(start)
	if err == nil {
		err = worker.end()
	}
	if err == nil && fetches && !strings.Contains(worker.Output(), "resuming "+TextEncoder) {
		err = errors.New("the file whose connection broke was not resumed")
	}
	return t, worker.explain(err)
}

// film runs a job.
func (w *Worker) film(ctx context.Context) (Film, error) {
	reply, err := w.Run(ctx, Driving().MP4(), map[string]any{"mode": "replacement", "seed": 7, "steps": 4})
	if err != nil {
		return Film{}, err
	}
	if reply.Status != http.StatusOK {
		return Film{}, fmt.Errorf("the job failed with %d: %s", reply.Status, reply.Error)
	}
	film, ok := ParseFilm(reply.Video)
	if !ok || !film.Sound {
		return Film{}, fmt.Errorf("the result is not a film with sound, but %d bytes", len(reply.Video))
	}
	return film, nil
}

// end stops the worker as Runpod does.
func (w *Worker) end() error {
	if err := w.Signal("TERM"); err != nil {
		return err
	}
	code, err := w.Wait(15 * time.Second)
	if err == nil && code != 0 {
		err = fmt.Errorf("the worker exits with code %d on SIGTERM", code)
	}
	return err
}

// explain adds the worker's last output to an error.
func (w *Worker) explain(err error) error {
	if err == nil {
		return nil
	}
	select { // the rest of its output
	case <-w.Ended():
	case <-time.After(time.Second):
	}
	lines := strings.Split(strings.TrimSpace(w.Output()), "\n")
	return fmt.Errorf("%w; its last lines:\n%s", err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
}
