package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// The app's own tests run under the Python of the image, where nothing but Debian's
// is installed, and without a network.
func TestRealAppPassesItsOwnTests(t *testing.T) {
	u := e2etest.NewUser(t)
	// The engine would not run again what it has run before.
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	dir := e2etest.PythonProject(t, `keep = ["/app/wan/tests/fakes/right.test.pem"]
[app]
source = "app"
[smoke]
run = [["sh", "-c", "cd /app/wan && exec python3 -m unittest discover -s tests -t .", "`+now+`"]]
`, nil)
	app := filepath.Join(e2etest.Root(t), "examples", "wan22-animate", "app")
	if err := os.CopyFS(filepath.Join(dir, "app", "wan"), os.DirFS(app)); err != nil {
		t.Fatal(err)
	}
	r := u.Build(t, dir, "--progress", "plain")
	if !strings.Contains(r.Stderr, " OK\n") {
		t.Errorf("the tests didn't run:\n%s", e2etest.Tail(r.Stderr))
	}
}
