package wan22animate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

func TestMain(m *testing.M) { os.Exit(e2etest.Main(m)) }

// The app's own tests run under the image's Python, with only Debian's packages and
// without a network.
func TestRealAppPassesItsOwnTests(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	// Otherwise the engine would use its cached result.
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	dir := e2etest.PythonProject(t, `keep = ["/app/wan/tests/fakes/right.test.pem"]
[app]
source = "app"
[smoke]
run = [["sh", "-c", "cd /app/wan && exec python3 -m unittest discover -s tests -t .", "`+now+`"]]
`, nil)
	if err := os.CopyFS(filepath.Join(dir, "app", "wan"), os.DirFS("app")); err != nil {
		t.Fatal(err)
	}
	r := u.Build(t, dir, "--progress", "plain")
	if !regexp.MustCompile(` OK( \(skipped=\d+\))?\n`).MatchString(r.Stderr) { // those are for torch or a real ffmpeg
		t.Errorf("the tests didn't run:\n%s", e2etest.Tail(r.Stderr))
	}
}
