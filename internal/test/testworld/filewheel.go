package testworld

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FileWheel is an existing wheel, by its path on disk.
type FileWheel string

// FileName returns the name of the file.
func (f FileWheel) FileName() string { return filepath.Base(string(f)) }

// Write copies the wheel.
func (f FileWheel) Write(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(string(f))
	if err == nil {
		err = os.WriteFile(path, data, 0o600) //nolint:gosec // a directory of the test
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f FileWheel) listing() listing {
	parts := strings.Split(f.FileName(), "-")
	return listing{project: parts[0], version: parts[1]}
}
