package lock_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"lamina.build/lock"
)

// bodies are small texts of every part of a lock: small, since the fuzzing engine
// minimizes what it finds a byte at a time.
func bodies() []string {
	return []string{
		"version=4\nplatform=\"\"\n",
		"version=4\n[debian]\nsuites=[\"a\"]\nrequests=[{set=\"base\",packages=[\"a\"]}]\n",
		"version=4\n[debian]\nrepositories=[{name=\"a\",url=\"b\",suite=\"./\",components=[],key=\"c\"}]\n",
		"version=4\n[debian]\nreleases=[{suite=\"a\",date=2026-11-20T01:02:03Z,sha256=\"" + hash("") + "\"}]\nindexes=[{suite=\"a\",size=1,sha256=\"" + hash("") + "\",path=\"p\"}]\n",
		"version=4\n[debian]\nrequests=[{set=\"base\"}]\npackages=[{name=\"a\",version=\"1\",arch=\"b\",size=1,sha256=\"" + hash("") + "\",path=\"p\",for=[\"base\"]}]\n",
		"version=1\n[python]\nrequests=[{set=\"python\"}]\ndistributions=[{name=\"a\",version=\"1\",url=\"git+http://h/p@" + strings.Repeat("0", 40) + "\",for=[\"python\"]}]\n",
		"version=4\n[python]\nuv={version=\"1\",size=1,sha256=\"" + hash("") + "\",file=\"f\",url=\"http://h\"}\nomitted=[{set=\"python\",reason=\"\\u0001\"}]\n",
		"version=4\n[[model]]\nfrom=\"http://h\"\npath=\"/m\"\nplan=1\ndigest=\"sha256:" + hash("") + "\"\nrename={\"a b\"=\"c\"}\nfiles=[{path=\"x\",sha256=\"" + hash("") + "\",url=\"http://h\"}]\n" +
			"layers=[{size=1,digest=\"sha256:" + hash("") + "\",diffid=\"sha256:" + hash("") + "\"}]\n",
		"version=4\nplatform=\"a\"\n[debian]\nrequests=[{set=\"base\"}]\n[[further]]\nplatform=\"b\"\npackages=[{name=\"a\",version=\"1\",arch=\"b\",size=1,sha256=\"" + hash("") + "\",path=\"p\",for=[\"base\"]}]\n",
		"version=5\n",
		"version = 1\n[debian]\npackages = [{}]",
	}
}

// Texts with a right digest reach every check; those that pass have one canonical form.
func FuzzParseNeverPanics(f *testing.F) {
	for _, body := range bodies() {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		_, _ = lock.Parse("x", []byte(body))
		l, err := lock.Parse("x", []byte(signed(body)))
		if err != nil {
			return
		}
		text := l.Format()
		again, err := lock.Parse("x", text)
		if err != nil {
			t.Fatalf("what Format wrote is refused: %v\n%s", err, text)
		}
		if third := again.Format(); string(third) != string(text) {
			t.Errorf("text changed on its way through a lock: %q, then %q", text, third)
		}
	})
}

func FuzzEntriesSurviveTheText(f *testing.F) {
	f.Add("adduser", "3.134", "pool/x.deb", "https://x.example/adduser.whl", int64(1))
	f.Add("torch", "2.6.0+cu124", "torch.whl", "https://x.example/torch.whl", int64(7))
	f.Add("\"\\\x01", "1:2~3+b1", "a/\U0001f600", "file:a/b", int64(9))
	f.Add("a\"b", "\x00", "\U0001f600", "\u2028", int64(-1))
	f.Fuzz(func(t *testing.T, name, version, path, url string, size int64) {
		l := lock.Lock{Requirements: lock.Requirements{
			Requests: []lock.Request{{Set: lock.ParseSet("base")}},
			Python:   []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: []string{name, url}}},
		}}
		l.UV = sample().UV
		l.Packages = []lock.Package{{
			Name: name, Version: version, Architecture: "all", Repository: "debian", Path: path, Size: size, SHA256: hash(name), For: setsOf([]string{"base"}),
		}}
		l.Distributions = []lock.Distribution{{
			Name: name, Version: version, File: path, URL: url, Size: size, SHA256: hash(name), For: setsOf([]string{"python"}),
		}}
		l.Models = []lock.Model{{
			ModelRequest: lock.ModelRequest{From: url, Path: "/" + name, Rename: map[string]string{path: version}},
			Plan:         1, Digest: "sha256:" + hash(name), Files: []lock.ModelFile{{Path: path, Size: size, SHA256: hash(name), URL: url}},
		}}
		for _, without := range []func(){func() { l.Models = nil }, func() { l.Distributions = nil }, func() { l.Packages = nil }} {
			text := l.Format()
			got, err := lock.Parse("x", text)
			if err == nil && string(got.Format()) != string(text) {
				t.Errorf("text changed on its way through a lock: %q, then %q", text, got.Format())
			}
			without() // if one of them is rejected, the others may still be valid
		}
	})
}

// The seeds of the fuzz targets reach what they are for.
func TestBodiesReachTheChecks(t *testing.T) {
	problems := map[string]int{}
	for _, body := range bodies() {
		_, err := lock.Parse("x", []byte(signed(body)))
		switch {
		case err == nil:
			problems["none"]++
		case strings.Contains(err.Error(), "earlier format"):
			problems["old"]++
		case strings.Contains(err.Error(), "unknown lock version"):
			problems["unknown"]++
		default:
			problems["check"]++
		}
	}
	if got := slices.Sorted(maps.Keys(problems)); !slices.Equal(got, []string{"check", "none", "old", "unknown"}) || problems["none"] < 6 {
		t.Errorf("got %v", problems)
	}
}
