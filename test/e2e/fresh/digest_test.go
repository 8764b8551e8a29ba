package fresh

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// One engine is fresh for all these tests. Making the base system on it is most of
// their work, and each finds nothing there of what it is about.
func TestRealEngineThatHasNothing(t *testing.T) {
	e := e2etest.FreshEngine(t)
	for _, tt := range []struct {
		name string
		test func(t *testing.T, there *e2etest.User)
	}{
		{"uv is altered", alteredUV}, // the first: the others bring the right one
		{"digest with sdists", sameDigestWithSdists},
		{"digest", sameDigest},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, e2etest.UserOf(t, e)) })
	}
}

// elsewhere is what differs between two machines.
func elsewhere() []string {
	return []string{"TZ=Pacific/Chatham", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "HOSTNAME=elsewhere", "PYTHONHASHSEED=7"}
}

// The same lock and trees give the same manifest under whatever differs
// between two machines, and after an export in another compression.
func sameDigest(t *testing.T, there *e2etest.User) {
	t.Helper()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	there.Env = elsewhere()
	copied := filepath.Join(t.TempDir(), "elsewhere", "project")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	age(t, copied)
	there.Build(t, copied, "-o", "type=docker,dest=image.tar", "--smoke", "off")
	there.Build(t, copied, "-o", "type=oci,dest=image.oci.tar,compression=gzip", "--smoke", "off")
	there.Build(t, copied)
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("digest is %s elsewhere, %s here", got, want)
	}
}

// The same lock gives the same manifest with compiled sdists in it: on another
// engine, whose compiler cache is empty, and under what differs between machines.
func sameDigestWithSdists(t *testing.T, there *e2etest.User) {
	t.Helper()
	u := e2etest.NewUser(t)
	dir, _ := e2etest.EveryKind(t)
	u.Build(t, dir)
	there.Env = elsewhere()
	copied := filepath.Join(t.TempDir(), "elsewhere", "project")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	there.Build(t, copied)
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("digest is %s elsewhere, %s here", got, want)
	}
}

// age gives a checkout other times and modes, as another umask and another day do.
func age(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o664)
		if d.IsDir() {
			mode = 0o775
		}
		then := time.Date(2031, 5, 17, 3, 4, 5, 6, time.UTC)
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return os.Chtimes(path, then, then)
	})
	if err != nil {
		t.Fatal(err)
	}
}
