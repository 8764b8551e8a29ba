package faults

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// locked is the lock of [small], which the tests of one run share.
var locked struct {
	sync.Mutex
	text []byte
}

// small is a project of an app alone, and its lock.
func small(t *testing.T) string {
	t.Helper()
	dir := e2etest.PythonProject(t, "[app]\nsource = \"app\"\nentrypoint = [\"/usr/bin/python3\", \"/app/main.py\"]\n", map[string]string{"app/main.py": "print(1)\n"})
	locked.Lock()
	defer locked.Unlock()
	if locked.text == nil {
		e2etest.NewUser(t).Build(t, "lock", dir)
		var err error
		if locked.text, err = os.ReadFile(filepath.Join(dir, "image.lock")); err != nil {
			t.Fatal(err)
		}
	}
	e2etest.Write(t, filepath.Join(dir, "image.lock"), locked.text)
	return dir
}
