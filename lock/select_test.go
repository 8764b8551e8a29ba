package lock_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"
)

func TestInPrefersTheSetOfTheVariant(t *testing.T) {
	l := sample()
	l.Requests = append(l.Requests, lock.Request{Set: lock.ParseSet("runtime@blackwell")})
	l.Packages[0].For = append(l.Packages[0].For, lock.ParseSet("runtime@blackwell"))
	names := func(kind lock.Kind, variant string) (list []string) {
		for _, p := range l.In(kind, variant) {
			list = append(list, p.Name)
		}
		return list
	}
	for _, tt := range []struct {
		kind    lock.Kind
		variant string
		want    []string
	}{
		{"runtime", "production", []string{"adduser", "libstdc++6", "zlib1g"}},
		{"runtime", "blackwell", []string{"adduser"}},
		{"extra", "debug", []string{"gdb"}},
		{"extra", "production", nil},
	} {
		if diff := cmp.Diff(tt.want, names(tt.kind, tt.variant)); diff != "" {
			t.Errorf("In(%q, %q) (-want +got):\n%s", tt.kind, tt.variant, diff)
		}
	}
}

func TestPythonInPrefersTheSetOfTheVariant(t *testing.T) {
	l := sample()
	for _, tt := range []struct {
		in   []lock.Distribution
		want []string
	}{
		{l.PythonIn("production"), []string{"insightface", "own", "sam2", "torch"}},
		{l.PythonIn("blackwell"), []string{"torch"}},
		{l.BuildIn("insightface", "debug"), []string{"cython"}},
		{l.BuildIn("insightface", "blackwell"), nil},
	} {
		var names []string
		for _, d := range tt.in {
			names = append(names, d.Name)
		}
		if diff := cmp.Diff(tt.want, names); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if got := len(l.OmittedIn("production")) - len(l.OmittedIn("blackwell")); got != 1 {
		t.Errorf("production lacks %d more than blackwell, want 1", got)
	}
}

func TestCreatedIsTheNewestRelease(t *testing.T) {
	if got, want := sample().Created(), time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
