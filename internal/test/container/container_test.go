package container

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/test/enginetest"
)

// waiting returns a machine whose program waits for ever.
func waiting(t *testing.T) *Machine {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can start containers with a user of their own")
	}
	m := &Machine{
		runc: enginetest.Runc(t), dir: t.TempDir(),
		config: ocispec.ImageConfig{Entrypoint: []string{"/wait"}, User: "10001:10001", WorkingDir: "/", Env: []string{"KEY=image's"}},
	}
	m.Root = filepath.Join(m.dir, "rootfs")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(m.Root, "wait"), "./testdata/wait")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return m
}

func start(t *testing.T, m *Machine) *Container {
	t.Helper()
	c, err := m.Start([]string{"KEY=mine"}, "more")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func running(t *testing.T, c *Container) {
	t.Helper()
	for range 200 {
		if strings.Contains(c.Output(), "\n") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the container doesn't run: %s", c.Output())
}

func TestRealContainer(t *testing.T) {
	c := start(t, waiting(t))
	defer c.Remove()
	running(t, c)
	if got, want := c.Output(), "10001 mine [more]\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if _, err := c.Wait(10 * time.Millisecond); err == nil {
		t.Error("it has ended")
	}
	if err := c.Signal("KILL"); err != nil {
		t.Fatal(err)
	}
	if code, err := c.Wait(time.Minute); err != nil || code != 137 {
		t.Errorf("code %d, %v", code, err)
	}
}

// A container that runc is only about to create is ended, too.
func TestRealContainerThatIsRemovedAtOnce(t *testing.T) {
	m := waiting(t)
	for range 5 {
		start(t, m).Remove()
	}
}

// The next program ends and removes what a killed one left. The rooms of others stay.
func TestRealOpenRoom(t *testing.T) {
	m, path := waiting(t), filepath.Join(t.TempDir(), "room")
	asks := func() (string, error) { return m.runc, nil }
	left, err := OpenRoom(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = left.Close(); err != nil { // its lock is gone; its directory is not:
		t.Fatal(err)
	}
	if err = os.MkdirAll(filepath.Join(left.Name(), "test"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(left.Name(), "test", "001")
	if err = os.Rename(m.dir, dir); err != nil {
		t.Fatal(err)
	}
	m.dir, m.Root = dir, filepath.Join(dir, "rootfs")
	c := start(t, m)
	running(t, c)
	for range 2 {
		room, err := OpenRoom(path, asks)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err = room.Close(); err != nil {
				t.Errorf("a room in use was removed: %v", err)
			}
		}()
		if _, err = os.Stat(room.Name()); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Wait(time.Minute); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(left.Name()); err == nil {
		t.Error("the files are still there")
	}
}
