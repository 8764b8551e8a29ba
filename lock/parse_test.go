package lock_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"lamina.build/lock"
)

func TestParseRefuses(t *testing.T) {
	text := string(sample().Format())
	tests := []struct {
		name, text, message string
		is                  error
	}{
		{"a newer version", strings.Replace(text, "version  = 4", "version  = 5", 1), "image.lock: unknown lock version: 5, this program reads 4", lock.ErrVersion},
		{"an earlier version", format(t, 1), "image.lock: the lock has an earlier format: 1, this program builds from 4", lock.ErrOld},
		{"no version", "", "image.lock: unknown lock version: 0, this program reads 4", lock.ErrVersion},
		{"an edit", strings.Replace(text, `"3.134"`, `"3.135"`, 1), "image.lock: lock was changed after it was written", lock.ErrEdited},
		{"half an array", text[:len(text)-len("]\n")-20], "image.lock:", nil},
		{"a missing last line", strings.TrimSuffix(text, "\n"), "image.lock: lock was changed after it was written", lock.ErrEdited},
		{"no TOML", "version = 1\n=", "image.lock:2:1: ", nil},
		{"a bomb", signed("version = 4\na" + strings.Repeat(".a", 1_000_000) + " = 1\n"), "image.lock:4:1: more than 32 nested tables and lists", nil},
		{"an unknown key", signed("version  = 4\nplatform = \"linux/amd64\"\ncolour = \"red\"\n"), `image.lock:5:1: unknown key "colour"`, nil},
		{"a path that escapes", forged(func(l *lock.Lock) { l.Packages[0].Path = "../x.deb" }), `image.lock: package adduser 3.134: path "../x.deb" does not stay below the repository`, nil},
		{"an invalid hash", forged(func(l *lock.Lock) { l.Packages[0].SHA256 = "abc" }), `image.lock: package adduser 3.134: "abc" is not a sha256`, nil},
		{"a set that was not requested", forged(func(l *lock.Lock) { l.Packages[0].For = []lock.Set{lock.ParseSet("nobody")} }), `image.lock: package adduser 3.134: set "nobody" was not requested`, nil},
		{"another order", forged(func(l *lock.Lock) { l.Packages[0], l.Packages[1] = l.Packages[1], l.Packages[0] }), "image.lock: packages are not sorted by name, version and architecture", nil},
		{"a page of nothing", forged(func(l *lock.Lock) { l.Pages[0].Project = "aaa" }), `image.lock: page "aaa" of https://index.example/simple: nothing is locked from it`, nil},
		{"an index of no release", forged(func(l *lock.Lock) { l.Indexes[0].Suite = "sid" }), "image.lock: index dists/bookworm/main/binary-amd64/Packages.xz: there is no release debian sid", nil},
		{"a provider that is not locked", forged(func(l *lock.Lock) { l.Provided[0].By = "wget" }), `image.lock: "wget" is not locked, which would provide "libstdc++"`, nil},
		{"an index that escapes", forged(func(l *lock.Lock) { l.Indexes[0].Path = "../x" }), "image.lock: index ../x: size 9", nil},
		{"metadata of what has none", forged(func(l *lock.Lock) { l.Distributions[1].Metadata = hash("x") }), "image.lock: distribution insightface 1.0: metadata", nil},
		{"an unknown key of an entry", signed("version = 4\n[debian]\npackages = [\n  { name = \"a\" },\n  { name = \"b\", shape = 1 },\n]\n"), `image.lock:7:17: unknown key "debian.shape"`, nil},
		{"an unknown key of a model", signed("version = 4\n[[model]]\nfrom = \"a\"\nfiles = [{ sise = 1 }]\n"), `image.lock:6:12: unknown key "model.sise"`, nil},
		{"an unknown table", signed("version = 4\n[ubuntu]\n"), `image.lock:4:2: unknown key "ubuntu"`, nil},
		{"a key twice", signed("version = 4\nplatform = \"\"\nplatform = \"\"\n"), "image.lock:5:1: toml: key platform is already defined", nil},
		{"a size that is a word", signed("version = 4\n[debian]\npackages = [\n  { size = \"x\" },\n]\n"), "image.lock:6:12: toml: cannot decode TOML string into struct field lock.Package.Size of type int64", nil},
		{"a set that is a list", signed("version = 4\n[debian]\nrequests = [\n  { set = [] },\n]\n"), "image.lock:6:11: toml: cannot decode TOML array", nil},
		{"a set in parts", signed("version = 4\n[debian]\nrequests = [\n  { set = { kind = \"base\" } },\n]\n"), `image.lock:6:13: unknown key "debian.kind"`, nil},
		{"a date that is a word", signed("version = 4\n[debian]\nreleases = [\n  { date = \"x\" },\n]\n"), `image.lock:6:12: toml: parsing time "x"`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", []byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v does not match %v", err, tt.is)
			}
		})
	}
}

// format returns a lock in an earlier format.
func format(t *testing.T, version int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("testdata/format%d.lock", version))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A lock of an earlier format is read for its versions.
func TestParseReadsEarlierFormats(t *testing.T) {
	for version, distributions := range map[int]int{1: 1, 2: 6, 3: 6} {
		l, err := lock.Parse("image.lock", []byte(format(t, version)))
		if !errors.Is(err, lock.ErrOld) || len(l.Distributions) != distributions || len(l.Python) == 0 {
			t.Errorf("format %d: %d distributions, error %v", version, len(l.Distributions), err)
		}
	}
	edited := strings.Replace(format(t, 1), "alpha-1.0", "alpha-2.0", 1)
	if _, err := lock.Parse("image.lock", []byte(edited)); !errors.Is(err, lock.ErrEdited) {
		t.Errorf("an edited lock: %v", err)
	}
}

func BenchmarkParse(b *testing.B) {
	l := sample()
	for i := range 1000 {
		l.Packages = append(l.Packages, deb(fmt.Sprintf("package%04d", i), "1", "base"))
	}
	l.Sort()
	text := l.Format()
	for b.Loop() {
		if _, err := lock.Parse("x", text); err != nil {
			b.Fatal(err)
		}
	}
}
