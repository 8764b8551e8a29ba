package readback

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/failure"
)

// docker replaces the docker client with a script.
func docker(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// Docker gets the same complete archive as a file.
func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	docker(t, `case "$*" in "ps --quiet") ;; "load --quiet") cat >loaded.tar && mv loaded.tar whole.tar ;; *) exit 9 ;; esac`)
	x := opened(t, nil, "type=docker,name=a:1")
	x.Of(picture(t), modelSources(t, nil))
	exportTo(t, x, picture(t).Lean(), asIs)
	if left := filesIn(t, "."); len(left) > 1 {
		t.Errorf("before the image is read back there is %q", left)
	}
	image, err := x.Keep(t.Context())
	if err = errors.Join(err, x.Close()); err != nil {
		t.Fatal(err)
	}
	want := read(t, write(t, picture(t), outputs(t, "type=docker")[0]))
	if image.Desc.Digest != want.Desc.Digest {
		t.Errorf("kept as %s, want %s", image.Desc.Digest, want.Desc.Digest)
	}
	data, err := os.ReadFile("whole.tar")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, data, "docker.io/library/a:1", want)
}

// An unreachable docker is found before a build; the user sees docker's own message.
func TestLoadFails(t *testing.T) {
	open := func() (*Exports, error) {
		x, err := NewExports(outputs(t, "type=docker"), "faceblend", "production", false)
		if err == nil {
			err = x.Open(t.Context(), nil)
		}
		return x, err
	}
	docker(t, `echo "Cannot connect to the Docker daemon" >&2; exit 1`)
	_, err := open()
	if err == nil || !strings.Contains(err.Error(), "asking docker: Cannot connect to the Docker daemon") || failure.KindOf(err) != failure.Usage ||
		!strings.Contains(strings.Join(failure.Hints(err), ""), "type=docker,dest=FILE") {
		t.Errorf("no daemon: %v", err)
	}
	docker(t, `[ "$1" = ps ] && exit; head -c 100 >/dev/null; echo "no space left on device" >&2; exit 1`)
	x, err := open()
	if err != nil {
		t.Fatal(err)
	}
	to := x.archives[0].to
	for n := 0; err == nil && n < 1000; n++ {
		_, err = to.Write(make([]byte, 1<<20))
	}
	if err == nil || err.Error() != "docker load: no space left on device" {
		t.Errorf("a full disk: %v", err)
	}
	if err = x.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err = open(); err == nil || !strings.Contains(err.Error(), "executable file not found") || failure.KindOf(err) != failure.Usage {
		t.Errorf("no docker: %v", err)
	}
}

// A failed build doesn't wait for docker but ends it.
func TestAbandonedLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	docker(t, `[ "$1" = ps ] && exit; : >started; exec sleep 1000`)
	x := opened(t, nil, "type=docker")
	to, err := x.Entries[0].Output(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(to)
	if err = w.WriteHeader(&tar.Header{Name: "a", Size: 1 << 20, Mode: 0o644}); err == nil {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, err = os.Stat("started"); errors.Is(err, fs.ErrNotExist); _, err = os.Stat("started") {
		time.Sleep(time.Millisecond) // until the reader passes docker the first bytes
	}
	if err = errors.Join(err, x.Close()); err != nil {
		t.Error(err)
	}
	if p := x.archives[0].to.(*loader).load.ProcessState; p == nil || p.Success() {
		t.Errorf("docker ended with %v", p)
	}
}
