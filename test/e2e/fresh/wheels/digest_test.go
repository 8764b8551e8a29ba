package wheels

import (
	"os"
	"path/filepath"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// All of these share one fresh engine: making its builder and runtime, the same for all, is
// most of the work, and the engine has nothing of what each one tests.
func TestRealEngineThatHasNothing(t *testing.T) {
	t.Parallel()
	e := e2etest.FreshEngine(t)
	// First, since the next one brings the right uv.
	t.Run("uv is altered", func(t *testing.T) { alteredUV(t, e2etest.UserOf(t, e)) })
	t.Run("digest with sdists", func(t *testing.T) { sameDigestWithSdists(t, e2etest.UserOf(t, e)) })
	t.Run("git tree", func(t *testing.T) { gitTree(t, e2etest.UserOf(t, e)) })
}

// The same lock gives the same manifest with compiled sdists in it: on another engine with
// an empty compiler cache, and despite the differences between machines.
func sameDigestWithSdists(t *testing.T, there *e2etest.User) {
	t.Helper()
	u := e2etest.NewUser(t)
	dir, _ := e2etest.EveryKind(t)
	u.Build(t, dir)
	want := u.Digest(t)

	there.Env = []string{"TZ=Pacific/Chatham", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "HOSTNAME=elsewhere", "PYTHONHASHSEED=7"}
	copied := filepath.Join(t.TempDir(), "elsewhere", "project")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	there.Build(t, copied)
	if got := there.Digest(t); got != want {
		t.Errorf("digest is %s elsewhere, %s here", got, want)
	}
}
