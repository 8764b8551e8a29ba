package reqfile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/resolve/reqfile"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	wheel  = "torch_geo-2.6-py3-none-any.whl"
	sha    = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

// directory returns a file system of texts, with a few archives next to them.
func directory(texts map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for _, name := range []string{
		"wheels/" + wheel, "wheels/notes.txt", "source/pyproject.toml", "dist/geo-1.0.tar.gz", "sub/own/geo-1.0.zip", "a@b/geo.zip",
		"a b.zip", wheel,
	} {
		all[name] = &fstest.MapFile{}
	}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

var secrets = map[string]string{
	"USER": "me", "TOKEN": "geheim1", "PASS_2": "geheim2%40x", "BOTH": "me:geheim3", "LINE": "geheim4\n",
}

// options read requirements.txt of a directory.
func options(texts map[string]string) reqfile.Options {
	return reqfile.Options{FS: directory(texts), Requirements: []string{"requirements.txt"}, Env: env(secrets)}
}

func read(t *testing.T, text string) reqfile.Set {
	t.Helper()
	s, err := reqfile.Read(options(map[string]string{"requirements.txt": text}))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// messages returns one message for each problem.
func messages(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("not a list of problems: %v", err)
	}
	var list []string
	for _, one := range joined.Unwrap() {
		if _, ok := errors.AsType[*reqfile.Error](one); !ok {
			t.Errorf("no place: %v", one)
		}
		list = append(list, one.Error())
	}
	return list
}

func lines(list []reqfile.Requirement) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.Line)
	}
	return all
}

func requirements(list []reqfile.Requirement) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.Text())
	}
	return all
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func text(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
