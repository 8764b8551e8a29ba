package reqfile_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lamina.build/internal/resolve/reqfile"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, one := range []string{
		"", "\uFEFFtorch==2.6.0 \\\r\n  --hash=sha256:" + sha + "\r\n", "a[b,c] (>=1,<2.*) ; (os_name == 'x' or 'y' not in extra) and os.name=='z'",
		"x @ git+https://${TOKEN}@h/x.git@" + commit + "#subdirectory=a", "git+http://h/x@" + commit + "#egg=x[y]",
		"https://u:${TOKEN}@h/" + wheel + "#sha256=" + sha, "./wheels/" + wheel + "[a]", "geo @ file:dist/geo-1.0.tar.gz", "a@b/geo.zip",
		"-r requirements.txt\n-c requirements.txt\n-rx", "-i https://h/ --extra-index-url 'https://${USER}:${TOKEN}@i' -f wheels\n--no-index",
		"--no-binary=:all:,a --only-binary a,:none:,b\n--pre\n--require-hashes", "a===x!y\nb~=1.0\nc!=1.*", "-e ./" + wheel + "\n--trusted-host=h",
		"a ; '" + strings.Repeat("(", 70), "a=1\nb 2\n--nope\n\\\n# x \\\n'", "https://${TOKEN}:x/y@h/${TOKEN}", "a @ https://${TOKEN} @h/x",
		"x @ git+ssh://git@h/x@a/b#egg=y[z]&subdirectory=..", "x @ file:///croot/x/work\n-e .\n-e x @ git+https://h/x", "\xff\xfea\x00",
		"./a@b/geo.zip;os_name=='a'", "x@file:wheels/" + wheel, "https://h/x.zip?a#egg=b&subdirectory=./c/", "file:%2e/" + wheel,
	} {
		f.Add(one)
	}
}

// Whatever a file contains, its problems have a position and no secret leaks.
func FuzzReadNeverPanics(f *testing.F) {
	seeds(f)
	place := regexp.MustCompile(`^requirements\.txt:[1-9][0-9]*: .`)
	f.Fuzz(func(t *testing.T, data string) {
		if strings.Contains(data, "geheim") {
			t.Skip()
		}
		o := options(map[string]string{"requirements.txt": data})
		o.Constraints = o.Requirements
		s, err := reqfile.Read(o)
		for _, one := range messages(t, err) {
			if !place.MatchString(one) || strings.ContainsAny(one, "\n\r\x00") || strings.Contains(one, "geheim") {
				t.Errorf("problem %q", one)
			}
		}
		var shown strings.Builder
		fmt.Fprintf(&shown, "%+v", s)
		for _, r := range append(s.Requirements, s.Constraints...) {
			shown.WriteString(strings.Join([]string{r.Line, r.Name, r.URL, r.Ref, r.Path, r.Subdirectory}, "\n"))
		}
		if strings.Contains(shown.String(), "geheim") {
			t.Errorf("a secret is shown: %s", shown.String())
		}
	})
}

// A set that is written and read again is the same.
func FuzzCanonicalIsAFixpoint(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data string) {
		first, err := reqfile.Read(options(map[string]string{"requirements.txt": data}))
		if err != nil {
			return
		}
		o := options(map[string]string{
			"requirements.txt": write(first), "pins.txt": strings.Join(requirements(first.Constraints), "\n"),
		})
		o.Constraints = []string{"pins.txt"}
		second, err := reqfile.Read(o)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		ignored := []cmp.Option{
			cmpopts.IgnoreFields(reqfile.Set{}, "Found", "Notes"), cmpopts.IgnoreFields(reqfile.Requirement{}, "File", "At"),
		}
		if diff := cmp.Diff(first, second, ignored...); diff != "" {
			t.Errorf("%q (-first +second):\n%s", data, diff)
		}
	})
}

// write makes a file of all but the constraints.
func write(s reqfile.Set) string {
	all := append(requirements(s.Requirements), s.Options...)
	if s.IndexURL != "" {
		all = append(all, "-i "+s.IndexURL)
	}
	for _, one := range s.ExtraIndexURLs {
		all = append(all, "--extra-index-url="+one)
	}
	for _, one := range s.FindLinks {
		all = append(all, "-f "+one)
	}
	if s.NoIndex {
		all = append(all, "--no-index")
	}
	return strings.Join(all, "\n")
}
