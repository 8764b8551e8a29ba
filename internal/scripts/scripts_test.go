package scripts_test

import (
	"testing"

	"lamina.build/internal/scripts"
)

func TestScriptsByTheirNames(t *testing.T) {
	got := scripts.Named("wheel.sh", "globs.py")
	if len(got) != 2 || got["wheel.sh"] == "" || got["globs.py"] == "" {
		t.Errorf("got %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a script that is not there is given")
		}
	}()
	scripts.Named("absent.py")
}
