package reqfile_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"lamina.build/internal/resolve/reqfile"
	"lamina.build/internal/resolve/userinfo"
)

func TestGlobalOptions(t *testing.T) {
	s := read(t, text(
		"-i https://first/simple",
		"--index-url 'https://second/simple/'",
		"--extra-index-url=https://a/x --extra-index-url https://b",
		"--extra-index-url https://a/x/",
		"-f wheels -fhttps://h/links.html?x=1",
		"--find-links=file:wheels",
		"--pre",
		"--require-hashes --prefer-binary --pre",
		"--trusted-host h",
		"--use-feature=fast-deps",
		"-e ./dist/geo-1.0.tar.gz",
		"",
	))
	equal(t, "index", s.IndexURL, "https://second/simple")
	equal(t, "more", s.ExtraIndexURLs, []string{"https://a/x", "https://b"})
	equal(t, "links", s.FindLinks, []string{"wheels", "https://h/links.html?x=1"})
	equal(t, "options", s.Options, []string{"--pre", "--prefer-binary", "--require-hashes"})
	equal(t, "notes", s.Notes, []string{
		"requirements.txt:9: --trusted-host is ignored: it doesn't affect the lock",
		"requirements.txt:10: --use-feature is ignored: it doesn't affect the lock",
		"requirements.txt:11: editable becomes an ordinary installation",
	})
}

func TestEmptyFilesAreTold(t *testing.T) {
	for content, want := range map[string][]string{"": {"requirements.txt: it has no requirement or option"}, " \n# six\n": {"requirements.txt: it has no requirement or option"}, "# a\n--pre\n": nil} {
		equal(t, content, read(t, content).Notes, want)
	}
}

func TestNoIndexForgetsIndexes(t *testing.T) {
	s := read(t, text("-i https://a", "--no-index", "--extra-index-url https://b"))
	if !s.NoIndex || s.IndexURL != "" || s.ExtraIndexURLs != nil {
		t.Errorf("got %+v", s)
	}
}

// As in pip, a path is relative to the directory of the file, or else to the root.
func TestFindLinksNextToItsFile(t *testing.T) {
	s, err := reqfile.Read(options(map[string]string{
		"requirements.txt": "-r sub/x.txt", "sub/x.txt": text("-f own", "-f wheels", "-f ../source"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "links", s.FindLinks, []string{"sub/own", "wheels", "source"})
}

func TestFormats(t *testing.T) {
	s := read(t, text("--no-binary=b,A_a", "--no-binary c", "--only-binary=a", "--only-binary=:all:"))
	equal(t, "options", s.Options, []string{"--no-binary=a-a", "--no-binary=b", "--no-binary=c", "--only-binary=:all:", "--only-binary=a"})
	equal(t, "again", read(t, text(s.Options...)).Options, s.Options)
	s = read(t, text("--no-binary=a,:none:,b", "--only-binary=:none:", "--only-binary=:all:", "--no-binary :none:,c"))
	equal(t, "after none", s.Options, []string{"--no-binary=c", "--only-binary=:all:"})
}

func TestLogins(t *testing.T) {
	s := read(t, text(
		"-i https://${USER}:${PASS_2}@Index:8443/simple",
		`--extra-index-url "https://${BOTH}@quoted"`,
		"--extra-index-url https://u%40x@literal",
		"-f https://x-${TOKEN}@links/page.html",
		"x @ git+https://${TOKEN}@git/x.git@"+commit,
		"https://u:100%-${TOKEN}@archive/geo.zip",
		"https://u:100%-${TOKEN}@archive/geo-2.zip",
		"y @ https://plain/y.zip",
	))
	equal(t, "logins", s.Logins, map[string]userinfo.Login{
		"index:8443": {User: "me", Password: "geheim2@x"},
		"quoted":     {User: "me", Password: "geheim3"},
		"literal":    {User: "u@x"},
		"links":      {User: "x-geheim1"},
		"git":        {User: "geheim1"},
		"archive":    {User: "u", Password: "100%-geheim1"},
	})
	s.Requirements = append(s.Requirements, reqfile.Requirement{})
	coded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", s, s, s), string(coded)} {
		if strings.Contains(shown, "geheim") {
			t.Errorf("a secret is shown: %s", shown)
		}
	}
	if shown := fmt.Sprint(s); !strings.Contains(shown, "(a login)") {
		t.Errorf("got %s", shown)
	}
}
