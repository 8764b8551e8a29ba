package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lamina.build/internal/weights"
)

// small mounts a file system of that size.
func small(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("can't mount here: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func TestPullOntoAFullDisk(t *testing.T) {
	source := &hub{}
	o := into(t, scaled(t, model(t, "a.bin 9000000", "b.bin 8500000"), source))
	o.Dir = filepath.Join(small(t, "12m"), "dist")
	var full *weights.SpaceError
	if _, err := weights.Pull(t.Context(), o); !errors.As(err, &full) || full.Need != size(o.Job) || full.Free > 12*mib {
		t.Fatalf("got %v", err)
	}
	if source.bytes() != 0 {
		t.Errorf("%d bytes were fetched for nothing", source.bytes())
	}
}

func TestPullOntoADiskThatFillsUp(t *testing.T) {
	source := &hub{}
	o := into(t, job(t, model(t, "a.bin 9000000"), source))
	disk := small(t, "12m")
	o.Dir = filepath.Join(disk, "dist")
	hog := filepath.Join(disk, "hog")
	h := history{after: func(e weights.Event) {
		if e.State == weights.Moving && e.Bytes == 10*chunk {
			must(t, os.WriteFile(hog, make([]byte, 6*mib), 0o600))
		}
	}}
	o.Progress = h.note
	_, err := weights.Pull(t.Context(), o)
	var full *weights.SpaceError
	if !errors.As(err, &full) || full.Need > 9*mib || !strings.Contains(err.Error(), "free, but the model needs another") {
		t.Fatalf("got %v", err)
	}
	must(t, os.Remove(hog))
	before := source.bytes()
	image, err := weights.Pull(t.Context(), o)
	must(t, err)
	if got := source.bytes() - before; got > 5_000_000 {
		t.Errorf("%d bytes fetched again", got)
	}
	kept(t, o, image)
}
