package lock_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"lamina.build/lock"
)

// locks returns the texts of all locks in the repository, including those of examples that
// were locked here.
func locks(t testing.TB) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	for _, pattern := range []string{"testdata/*.lock", "../examples/*/image.lock"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if texts[name], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return texts
}

// This program writes what earlier programs wrote.
func TestLocksStayByteForByte(t *testing.T) {
	texts := locks(t)
	if len(texts) == 0 {
		t.Fatal("there are no locks")
	}
	for name, text := range texts {
		l, err := lock.Parse(name, text)
		if errors.Is(err, lock.ErrOld) {
			continue // it would be written in the current format
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if again := l.Format(); !bytes.Equal(again, text) {
			t.Errorf("%s is written as\n%s", name, again)
		}
		for _, m := range l.Models {
			if m.Plan != lock.ModelPlan { // then there must be a new lock here, too
				t.Errorf("%s: the layers of %s are no longer usable", name, m.From)
			}
		}
	}
}
