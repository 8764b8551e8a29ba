package e2etest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"lamina.build/internal/test/enginetest"
)

// Secret is part of every password and token that tests give to builds, so that one search
// finds any of them where none may be: see [NoSecrets]. No quoting changes it.
const Secret = "GeheimnisDerTests"

// forms returns the forms of a secret: plain, and within base64, in one of three ways that
// depend on what precedes it.
func forms() [][]byte {
	list := append(make([][]byte, 0, 4), []byte(Secret))
	for before := range 3 {
		// The first and the last letters depend on what is next to the secret.
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + Secret))
		whole := len(Secret) + before - (len(Secret)+before)%3
		list = append(list, []byte(text[[]int{0, 2, 3}[before]:whole/3*4]))
	}
	return list
}

// holdsSecret reads to the end or to a secret.
func holdsSecret(r io.Reader) (bool, error) {
	wanted := forms()
	buf := make([]byte, 1<<20)
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		text := buf[:kept+n]
		if slices.ContainsFunc(wanted, func(form []byte) bool { return bytes.Contains(text, form) }) {
			return true, nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return false, err
		}
		kept = copy(buf, text[len(text)-2*len(Secret):])
	}
}

// fileHoldsSecret searches a file, and its content before compression.
func fileHoldsSecret(name string) (bool, error) {
	f, err := os.Open(name) //nolint:gosec // of a test
	if err != nil {
		return false, err
	}
	defer f.Close()
	found, err := holdsSecret(f)
	if found || err != nil {
		return found, err
	}
	var magic [4]byte
	if _, err = f.ReadAt(magic[:], 0); err != nil {
		return false, nil //nolint:nilerr // shorter than anything compressed
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	switch {
	case magic == [4]byte{0x28, 0xb5, 0x2f, 0xfd}:
		z, err := zstd.NewReader(f)
		if err != nil {
			return false, err
		}
		defer z.Close()
		return holdsSecret(z)
	case bytes.HasPrefix(magic[:], []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(f)
		if err != nil {
			return false, err
		}
		return holdsSecret(z)
	}
	return false, nil
}

// NoSecret fails a test if its secret is in a text.
func NoSecret(t *testing.T, what, text string) {
	t.Helper()
	if found, _ := holdsSecret(strings.NewReader(text)); found {
		t.Errorf("%s has a secret:\n%s", what, Tail(text))
	}
}

// NoSecrets fails a test if its secret is in a directory: in a file, in the content before
// compression, or in a name.
func NoSecrets(t *testing.T, directories ...string) {
	t.Helper()
	for _, directory := range directories {
		files := 0
		err := filepath.WalkDir(directory, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			NoSecret(t, "a name", name)
			if !d.Type().IsRegular() {
				return nil
			}
			files++
			found, err := fileHoldsSecret(name)
			if found {
				t.Errorf("%s holds a secret", name)
			}
			return err
		})
		if err != nil || files == 0 {
			t.Errorf("searching the %d files of %s: %v", files, directory, err)
		}
	}
}

// engineHoldsSecret searches what the engine of the tests wrote: its log and its databases,
// which hold requests and outputs.
func engineHoldsSecret() error {
	o, err := enginetest.Defaults()
	if err != nil {
		return err
	}
	var faults []error
	for _, pattern := range []string{"log*", "root/*.db", "root/*/*.db"} {
		names, _ := filepath.Glob(filepath.Join(o.CacheDir, "engine", pattern)) // the patterns are valid
		for _, name := range names {
			found, err := fileHoldsSecret(name)
			if found {
				err = fmt.Errorf("%s holds a secret of a test", name)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}
