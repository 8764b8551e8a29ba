package real

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// imageOnly are the worker's tests that need what only an image has, and that go test ./... skips:
// ffmpeg, decord, torch, diffusers, transformers.
var imageOnly = []string{
	"tests.test_embed", "tests.test_film", "tests.test_ingest", "tests.test_lean", "tests.test_loras", "tests.test_measure",
	"tests.test_pipeline", "tests.test_plan", "tests.test_preprocess", "tests.test_toy",
}

// trial tries the worker in a built image: its tests with the real ffmpeg, decord and torch,
// its preprocessing against upstream's loops, and a film and a picture that become films with
// sound, in both modes, by upstream's own preprocessing and the pipeline on toy weights.
func trial(t *testing.T, u *e2etest.User, dir, variant string) {
	t.Helper()
	example := filepath.Join(e2etest.Root(t), "examples", "wan22-animate")
	for _, directory := range []string{"equality", "trial"} {
		if err := os.RemoveAll(filepath.Join(dir, "app", directory)); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(dir, "app", directory), os.DirFS(filepath.Join(example, directory))); err != nil {
			t.Fatal(err)
		}
	}
	// An image lacks the app's tests, but these need what only an image has.
	e2etest.Edit(t, filepath.Join(dir, "app", ".dockerignore"), "\ntests\n", "\n")
	if err := os.Remove(filepath.Join(dir, "app", "tests", "fakes", "right.test.pem")); err != nil {
		t.Fatal(err) // no image gets a private key
	}
	const first = `    ["python3", "/app/handler.py", "--check", "versions"],`
	run := `    ["sh", "-ec", "cd /app; python3 -W ignore -m unittest ` + strings.Join(imageOnly, " ") + `; export TOYS=/tmp/toys OUT=/tmp/out; python3 /app/equality/toys.py /opt/Wan2.2 $TOYS 16; python3 /app/trial/detectors.py $TOYS/process_checkpoint; python3 -W ignore /app/trial/test_preprocess.py; exec python3 /app/trial/try.py"],`
	spec := filepath.Join(dir, "image.toml")
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	// The films were compared already, and take minutes.
	e2etest.Write(t, spec, regexp.MustCompile(`(?m)^.*\btest_equal\b.*\n`).ReplaceAll(text, nil))
	e2etest.Edit(t, spec, first, run+"\n"+first)
	r := u.Build(t, "--variant", variant, "--progress", "plain", dir)
	for _, said := range regexp.MustCompile(`ready after .*|\{'mode'.*|exit code .*|.* frames .*MiB.*|.*: ended after .*|.* MB after .*`).FindAllString(r.Stderr, -1) {
		t.Log(said)
	}
	if films := regexp.MustCompile(`\{'mode'.*: right\b`).FindAllString(r.Stderr, -1); len(films) != 2 {
		t.Errorf("%d films were made:\n%s", len(films), e2etest.Tail(r.Stderr))
	}
}
