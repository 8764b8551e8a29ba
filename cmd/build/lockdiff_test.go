package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"
)

func locked(packages ...string) lock.Lock {
	l := lock.Lock{Wishes: lock.Wishes{Platform: "linux/amd64"}}
	for i := 0; i < len(packages); i += 3 {
		l.Packages = append(l.Packages, lock.Package{
			Name: packages[i], Version: packages[i+1], Architecture: packages[i+2], Size: 1_500_000,
		})
	}
	return l
}

func TestLockDiff(t *testing.T) {
	old := locked("bash", "5.2-1", "amd64", "dash", "0.5-1", "amd64", "gone", "1", "all")
	tests := []struct {
		name          string
		before, after lock.Lock
		want          string
	}{
		{"first lock", lock.Lock{}, locked("bash", "5.2-1", "amd64"), "+ bash 5.2-1\n1 packages, 1.5 MB: 1 added, 0 removed, 0 changed\n"},
		{"nothing new", old, old, "3 packages, 4.5 MB: none changed\n"},
		{
			"all kinds", old, locked("bash", "5.2-2", "amd64", "dash", "0.5-1", "amd64", "new", "2", "all"),
			"~ bash 5.2-1 → 5.2-2\n- gone 1\n+ new 2\n3 packages, 4.5 MB: 1 added, 1 removed, 1 changed\n",
		},
		{
			"two versions and a foreign architecture", locked("a", "1", "amd64"),
			locked("a", "1", "amd64", "a", "2", "amd64", "a", "1", "i386"),
			"~ a 1 → 1, 2\n+ a:i386 1\n3 packages, 4.5 MB: 1 added, 0 removed, 1 changed\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, lockDiff(tt.before, tt.after)); diff != "" {
				t.Errorf("diff of locks (-want +got):\n%s", diff)
			}
		})
	}
}
