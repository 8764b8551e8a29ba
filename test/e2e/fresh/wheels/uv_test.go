package wheels

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A uv with other content than Lamina's installs nothing, and resolves nothing, if the
// engine doesn't have the right one yet.
func alteredUV(t *testing.T, there *e2etest.User) {
	t.Helper()
	u, w := e2etest.NewUser(t), testworld.New(t)
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + w.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "alpha"}).URL}
	dir := e2etest.PythonProject(t, e2etest.Compiler+"[app]\nsource = \"app\"\n[python]\nrequirements = [\"requirements.txt\"]\n",
		map[string]string{"requirements.txt": "alpha\n", "app/main.py": ""})
	u.Build(t, "lock", dir)
	uv := e2etest.ReadLock(t, dir).UV
	w.Put("files/"+uv.File, []byte("other bytes"))
	w.Put("simple/uv", fmt.Appendf(nil, "<!DOCTYPE html><html><body><a href=\"%s/files/%s#sha256=%s\">%s</a></body></html>", w.URL, uv.File, uv.SHA256, uv.File))
	u.Build(t, "lock", dir) // by an engine that has the right one
	if locked := e2etest.ReadLock(t, dir).UV; locked.URL != w.URL+"/files/"+uv.File {
		t.Fatalf("locked is uv at %s", locked.URL)
	}
	there.Env = u.Env
	says := []string{"uv " + uv.Version, "the content differs from the lock"}
	there.Fails(t, 1, says, dir, "--progress", "quiet")
	there.HasNoImage(t)
	if err := os.Remove(filepath.Join(dir, "image.lock")); err != nil {
		t.Fatal(err)
	}
	there.Fails(t, 1, says, "lock", dir)
	if left, err := filepath.Glob(filepath.Join(dir, "*.lock*")); err != nil || len(left) > 0 {
		t.Errorf("it left %q, %v", left, err)
	}
}
