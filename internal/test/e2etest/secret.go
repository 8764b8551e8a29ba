package e2etest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Secret is in every password that tests give to builds, for [NoSecrets] to find.
const Secret = "GeheimnisDerTests"

// NoSecrets fails a test whose secret lies in a file of a folder.
func NoSecrets(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path) //nolint:gosec // a folder of the test
			if bytes.Contains(data, []byte(Secret)) {
				t.Errorf("%s holds a secret", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
