package blobs_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/core/content"

	"lamina.build/internal/layout/blobs"
	"lamina.build/internal/test/process"
)

// victim in the environment makes the test binary open the store in that directory, write a
// blob, write half of another one, report that and wait to be killed.
const victim = "LAMINA_BLOBS_TEST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		hang(dir)
	}
	os.Exit(m.Run())
}

func hang(dir string) {
	ctx := context.Background()
	s, err := blobs.Open(ctx, dir)
	if err != nil {
		panic(err)
	}
	if err = content.WriteBlob(ctx, s, "whole", reading("whole"), of("whole")); err != nil {
		panic(err)
	}
	w, err := s.Writer(ctx, content.WithRef("half"))
	if err != nil {
		panic(err)
	}
	if _, err = w.Write([]byte("ha")); err != nil {
		panic(err)
	}
	os.Stdout.WriteString("ready\n")
	io.Copy(io.Discard, os.Stdin)
}

// other starts a process that has the store open and is in the middle of a blob. The
// returned function kills it.
func other(t *testing.T, dir string) (kill func()) {
	t.Helper()
	cmd, _ := process.Start(t, victim+"="+dir)
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
}

// What a running process has not named yet is safe; after a kill, complete blobs exist, and
// incomplete ones are neither visible nor kept.
func TestAProcessThatIsKilledInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	kill := other(t, dir)
	s := open(t, dir)
	none := func(content.Info) bool { return false }
	if removed, err := s.Cleanup(t.Context(), none); err != nil || !removed.Busy {
		t.Errorf("alongside a running process: got %+v, %v; want busy", removed, err)
	}
	if list, err := s.ListStatuses(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("the other process's writes are listed: %v, %v", list, err)
	}
	kill()
	for _, text := range []string{"whole", "half", "ha"} {
		_, err := s.Info(t.Context(), of(text).Digest)
		if found := err == nil; found != (text == "whole") {
			t.Errorf("%q is there: %v (%v)", text, found, err)
		}
	}
	if got, err := content.ReadBlob(t.Context(), s, of("whole")); err != nil || string(got) != "whole" {
		t.Errorf("got %q, %v", got, err)
	}
	if removed, err := s.Cleanup(t.Context(), none); err != nil || removed != (blobs.Removed{Blobs: 1, Bytes: 5}) {
		t.Errorf("after the kill: got %+v, %v", removed, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "ingest")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	put(t, s, "half") // nothing is in the way
}
