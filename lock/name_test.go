package lock_test

import (
	"testing"

	"lamina.build/lock"
)

func TestNormalName(t *testing.T) {
	for name, want := range map[string]string{
		"Torch": "torch", "a_b.c-d": "a-b-c-d", "A._-B": "a-b", "zope.interface": "zope-interface", "": "",
	} {
		if got := lock.NormalName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
