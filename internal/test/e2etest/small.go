package e2etest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// smallLock is the lock of [Small], which the tests of one run share.
var smallLock struct {
	sync.Mutex
	text []byte
}

// Small makes a project with nothing but an app, and its lock.
func Small(t *testing.T) string {
	t.Helper()
	dir := PythonProject(t, "[app]\nsource = \"app\"\nentrypoint = [\"/usr/bin/python3\", \"/app/main.py\"]\n", map[string]string{"app/main.py": "print(1)\n"})
	smallLock.Lock()
	defer smallLock.Unlock()
	if smallLock.text == nil {
		NewUser(t).Build(t, "lock", dir)
		var err error
		if smallLock.text, err = os.ReadFile(filepath.Join(dir, "image.lock")); err != nil { //nolint:gosec // our own
			t.Fatal(err)
		}
	}
	Write(t, filepath.Join(dir, "image.lock"), smallLock.text)
	return dir
}
