package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/examples/wan22-animate/rehearsal/world"
	"lamina.build/internal/test/testworld"
)

func (s *setting) testJobs(t *testing.T) {
	for _, variant := range []string{"production", "debug"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			m := s.machine(t, variant)
			w := serve(t, m, "JOB_TIMEOUT=120")
			w.ping(http.StatusOK, time.Minute)
			for mode, size := range map[string][2]int{"animation": {480, 832}, "replacement": {1280, 720}} {
				checkResult(t, w, mode, size)
			}
			if variant == "production" {
				checkProblems(t, w)
			}
			holdsNoFiles(t, m)
			if err := w.Signal("TERM"); err != nil {
				t.Error(err)
			}
			if code := wait(t, w.Container); code != 0 {
				t.Errorf("exit code %d after SIGTERM:\n%s", code, w.Output())
			}
		})
	}
	t.Run("that hang", s.testHanging)
	t.Run("of the queue", s.testQueue)
	t.Run("with weights that they fetch", s.testFetching)
	t.Run("without weights", s.testBrokenWeights)
}

// checkResult runs a job to its end.
func checkResult(t *testing.T, w service, mode string, size [2]int) {
	t.Helper()
	r := w.run(world.Driving().MP4(), map[string]any{"mode": mode, "resolution": size, "seed": 7, "steps": 4, "refert_num": 5})
	film, ok := world.ParseFilm(r.Video)
	if r.Status != http.StatusOK || !ok || r.Bytes != len(r.Video) {
		t.Fatalf("%s: got %d %q, %d bytes of a film\n%s", mode, r.Status, r.Error, len(r.Video), w.Output())
	}
	if !r.Sound || !film.Sound || film.Seconds != 2 || r.Duration != 2 || film.FPS != 30 {
		t.Errorf("%s: got %+v, sound %t, %g s; want two seconds with the sound of the driving film", mode, film, r.Sound, r.Duration)
	}
	// Wan keeps the aspect ratio of the driving film (4:3) and about the requested area.
	if area, want := film.Width*film.Height, size[0]*size[1]; area > want || area*10 < want*9 || r.Width != film.Width || r.Height != film.Height {
		t.Errorf("%s: got a film of %dx%d, reported as %dx%d, want about %d pixels", mode, film.Width, film.Height, r.Width, r.Height, want)
	}
}

// checkProblems makes one job after the other fail, each in its own way. The worker
// survives all of them.
func checkProblems(t *testing.T, w service) {
	t.Helper()
	bad := func(problem string) []byte {
		f := world.Driving()
		f.Problem = problem
		return f.MP4()
	}
	prompt := func(problem string) map[string]any { return map[string]any{"prompt": "problem: " + problem} }
	film, nobody := world.Driving().MP4(), world.Driving()
	nobody.Person = false
	for _, tt := range []struct {
		name   string
		film   []byte
		more   map[string]any
		status int
		says   string
	}{
		{"an empty film", film, prompt("empty"), 500, "the film is incomplete"},
		{"a generation that is killed", film, prompt("die"), 500, "died of this job and is restarted"},
		{"an error of a library", film, prompt("error"), 500, "mat1 and mat2"},
		{"too little memory", film, prompt("memory"), 500, "memory"},
		{"preprocessing that is killed", bad("preprocess-die"), nil, 500, ""},
		{"preprocessing that writes nothing", bad("preprocess-nothing"), nil, 500, ""},
		{"nobody in the film", nobody.MP4(), nil, 422, "face"},
		{"no film", make([]byte, 5000), nil, 422, "video"},
		{"an unknown mode", film, map[string]any{"mode": "dance"}, 400, "mode"},
		{"the 77 frames of Wan's default", film, map[string]any{"refert_num": 77}, 400, "refert_num"},
		{"an unknown field", film, map[string]any{"color": "x"}, 400, "color"},
	} {
		r := w.run(tt.film, tt.more)
		if r.Status != tt.status || r.Error == "" || !strings.Contains(r.Error, tt.says) || r.Video != nil {
			t.Errorf("%s: got %d %q, want %d with %q\n%s", tt.name, r.Status, r.Error, tt.status, tt.says, w.Output())
		}
		if strings.Contains(r.Error, "/tmp/") || strings.Contains(r.Error, "/opt/") {
			t.Errorf("%s: the error names a path: %q", tt.name, r.Error)
		}
		if r.Refresh { // Runpod would replace the worker
			t.Errorf("%s: asks to be replaced: %q", tt.name, r.Error)
		}
	}
	w.ping(http.StatusOK, time.Second)
}

// testHanging lets a job time out.
func (s *setting) testHanging(t *testing.T) {
	t.Parallel()
	m := s.machine(t, "production")
	w := serve(t, m, "JOB_TIMEOUT=10")
	w.ping(http.StatusOK, time.Minute)
	if r := w.run(world.Driving().MP4(), map[string]any{"prompt": "problem: hang"}); r.Status != http.StatusGatewayTimeout || r.Error == "" {
		t.Errorf("got %d %q\n%s", r.Status, r.Error, w.Output())
	}
	holdsNoFiles(t, m)
}

// testBrokenWeights starts an image with a truncated file of the model, and one without
// a GPU.
func (s *setting) testBrokenWeights(t *testing.T) {
	t.Parallel()
	m := s.machine(t, "production")
	if c := started(t)(m.Start(nil)); wait(t, c) != 1 || !strings.Contains(c.Output(), "GPU") {
		t.Errorf("without a GPU:\n%s", c.Output())
	}
	const name = "Wan2.1_VAE.pth"
	if err := os.Truncate(filepath.Join(m.Root, "models/Wan2.2-Animate-14B", name), 100); err != nil {
		t.Fatal(err)
	}
	w := serve(t, m)
	w.ping(http.StatusServiceUnavailable, time.Minute)
	if !strings.Contains(w.Output(), name) {
		t.Errorf("the output doesn't mention %s:\n%s", name, w.Output())
	}
}

// testQueue runs one job as Runpod's SDK does on the user's own machine.
func (s *setting) testQueue(t *testing.T) {
	t.Parallel()
	m := s.machine(t, "production")
	job := map[string]any{"video": world.Driving().MP4(), "image": world.Picture(128, 128), "steps": 2}
	for want, more := range map[int]string{0: "", 1: "dance"} {
		if more != "" {
			job["mode"] = more
		}
		input, err := json.Marshal(map[string]any{"input": job})
		if err != nil {
			t.Fatal(err)
		}
		c := started(t)(m.Start([]string{"REQUIRE_GPU=0", "REHEARSAL_CUDA=1", world.Pipeline}, "--test_input", string(input)))
		code := wait(t, c)
		text := c.Output()
		if code != want || strings.Contains(text, "completed successfully") != (want == 0) || strings.Contains(text, "failed with error") != (want == 1) {
			t.Errorf("exit code %d, want %d:\n%s", code, want, text)
		}
	}
	holdsNoFiles(t, m)
}

// testFetching starts the image without weights. A connection breaks in the middle of
// the largest file, and the worker doesn't request what it has already.
func (s *setting) testFetching(t *testing.T) {
	t.Parallel()
	m := s.machine(t, "minimal")
	if _, err := os.Stat(filepath.Join(m.Root, "models/Wan2.2-Animate-14B")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there are weights in the image: %v", err)
	}
	cdn := s.world.Hub.CDN
	cdn.Forget()
	defer cdn.Heal()
	cdn.Fail("GET "+s.world.Large(world.TextEncoder), testworld.Cut(1))
	w := serve(t, m, "JOB_TIMEOUT=60", s.world.Env()[0])
	w.ping(http.StatusOK, 3*time.Minute)
	text := w.Output()
	if !strings.Contains(text, "resuming "+world.TextEncoder+" at ") {
		t.Errorf("the interrupted file isn't resumed:\n%s", text)
	}
	wanted := s.wantedBytes(t)
	// Bytes in flight when the connection broke were sent twice; the whole file is a fifth.
	if sent := cdn.Sent("/**"); sent < wanted*99/100 || sent > wanted*105/100 {
		t.Errorf("%d bytes were sent for %d bytes of weights", sent, wanted)
	}
	checkResult(t, w, "animation", [2]int{1280, 720})
}
