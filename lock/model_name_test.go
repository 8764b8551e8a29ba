package lock_test

import (
	"testing"

	"lamina.build/lock"
)

func TestModelName(t *testing.T) {
	for from, want := range map[string]string{
		"hf://org/name@main": "org/name", "https://x.example/models/wan/SHA256SUMS": "wan",
	} {
		if got := (lock.ModelRequest{From: from}).Name(); got != want {
			t.Errorf("%s is called %q, want %q", from, got, want)
		}
	}
}
