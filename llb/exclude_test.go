package llb

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGlobsMatchWholePaths(t *testing.T) {
	tests := []struct {
		glob, path string
		want       bool
	}{
		{"/usr/share/doc/**", "/usr/share/doc/gcc/README", true},
		{"/usr/share/doc/**", "/usr/share/doc", false},
		{"/usr/share/doc", "/usr/share/doc/gcc", true},
		{"/usr/share/doc/*/copyright", "/usr/share/doc/gcc/copyright", true},
		{"/usr/share/doc/*/copyright", "/usr/share/doc/gcc/old/copyright", false},
		{"/usr/**/*.a", "/usr/libx.a", true},
		{"/usr/**/*.a", "/usr/lib/x86_64-linux-gnu/libc.a", true},
		{"/usr/**/*.a", "/usr/lib/libc.aa", false},
		{"/usr/lib/lib?.so", "/usr/lib/libx.so", true},
		{"/usr/lib/lib?.so", "/usr/lib/lib/.so", false},
		{"/opt/c++", "/opt/ccc", false},
	}
	for _, tt := range tests {
		re := regexp.MustCompile("^" + expandGlob(tt.glob) + "$")
		if got := re.MatchString(tt.path); got != tt.want {
			t.Errorf("%s on %s: got %v, want %v (%s)", tt.glob, tt.path, got, tt.want, re)
		}
	}
}

func TestTheLastGlobThatMatchesDecides(t *testing.T) {
	got := Exclude{"/a/**", "!/a/*/keep", "/a/x/keep"}.expression()
	want := `\( \( \( -false -o -regex '/a/.*(/.*)?' \) ! -regex '/a/[^/]*/keep(/.*)?' \) -o -regex '/a/x/keep(/.*)?' \)`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDpkgIsSparedWholeFoldersOnly(t *testing.T) {
	got := Exclude{"/usr/share/doc/**", "!/usr/share/doc/*/copyright", "/usr/*/x/**", "/usr/**/*.a"}.dpkgOptions()
	want := []string{"--path-exclude=/usr/share/doc/*", "--path-include=/usr/share/doc/*/copyright"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuotesSurviveTheShell(t *testing.T) {
	if got, want := quoteShell("it's"), `'it'\''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
