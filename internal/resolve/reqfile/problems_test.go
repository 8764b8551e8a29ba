package reqfile_test

import (
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/internal/resolve/userinfo"
)

// Each text is one line; the message follows its position.
func TestProblems(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"torch 2.6", `"torch 2.6"` + notOne},
		{"torch,>=2", `"torch,>=2"` + notOne},
		{"torch;#", `"#" isn't allowed in a requirement`},
		{"torch;-", `"-" isn't allowed in a requirement`},
		{"torch==1\u00a0-x", `"-x" isn't allowed in a requirement`},
		{"torch ^2.6", `"torch ^2.6"` + notOne},
		{"torch-", `"torch-"` + notOne},
		{"_torch", `"_torch"` + notOne},
		{"*", `"*"` + notOne},
		{"über", `"über"` + notOne},
		{"torch[a", `"torch[a"` + notOne},
		{"torch @", `"torch @" does not exist`},
		{"; os_name == 'x'", `""` + notOne},
		{strings.Repeat("ü", 200) + "=1", `"` + strings.Repeat("ü", 100) + `"` + notOne},
		{`torch \ # continued`, `"\\" isn't allowed here`},
		{"to\x01rch", `"\x01" isn't allowed here`},
		{"torch\u2028numpy", `"\u2028" isn't allowed here`},
		{"torch\xff", `"\xff" isn't allowed here`},
		{"https:h/geo.zip", `"https:h/geo.zip"` + notWeb},
		{"https:///geo.zip", `"https:///geo.zip"` + notWeb},
		{"https://h:x/geo.zip", `"https://h:x/geo.zip"` + notWeb},
		{"https://h/../geo.zip", `"https://h/../geo.zip"` + notWeb},
		{"https://h/a b/geo.zip", `"https://h/a b/geo.zip"` + notWeb},
		{"https://h/ü.zip", `"https://h/ü.zip"` + notWeb},
		{"https://h/geo.zip#subdirectory=../x", `"https://h/geo.zip#subdirectory=../x"` + notWeb},
		{"a @ geo.zip", `"geo.zip" does not exist`},
		{"ftp://h/geo.zip", `"ftp://h/geo.zip"` + notWeb},
		{`C:\geo.zip`, `"C:\\geo.zip"` + notWeb},
		{"git@github.com:a/b.git", `"github.com:a/b.git"` + notWeb},
		{"x @ git+https:h/x.git", `"git+https:h/x.git"` + notWeb},
		{"x @ git+https://h/x.git@" + commit + " --hash=sha256:" + sha, `--hash: "sha256:` + sha + `" is not a complete md5, sha256, sha384, sha512 or blake2b of a file`},
		{"x @ ssh://git@h/x.git", `"ssh://…"` + notWeb},
		{"git+file:///x.git@" + commit, `"git+file://…"` + notWeb},
		{"git://h/x.git", `"git://h/x.git"` + notWeb},
		{"git+git://h/x.git", `"git+git://h/x.git"` + notWeb},
		{"hg+https://h/x", `"hg+https://h/x"` + notWeb},
		{"svn+http://h/x", `"svn+http://h/x"` + notWeb},
		{"bzr+sftp://h/x", `"bzr+sftp://h/x"` + notWeb},
		{"./nowhere.whl", `"nowhere.whl" does not exist`},
		{"a/b", `"a/b" does not exist`},
		{"./source", `"source" is a directory; a requirement file can only install archives`},
		{"-e .", `"." is a directory; a requirement file can only install archives`},
		{"-e .[dev]", `"." is a directory; a requirement file can only install archives`},
		{"./wheels/odd.whl", `"wheels/odd.whl" does not exist`},
		{"../geo.zip", `"../geo.zip" leads out of the directory of image.toml`},
		{"/geo.zip", `"/geo.zip" leads out of the directory of image.toml`},
		{"~/geo.zip", `"~/geo.zip" leads out of the directory of image.toml`},
		{`.\geo.zip`, `".\\geo.zip" does not exist`},
		{"./ü.zip", `"ü.zip" does not exist`},
		{"file:///geo.zip", `"///geo.zip" leads out of the directory of image.toml`},
		{"file://localhost/geo.zip", `"//localhost/geo.zip" leads out of the directory of image.toml`},
		{"file:", "a path is required here"},
		{"file:dist/geo-1.0.tar.gz#sha256=" + sha, `"dist/geo-1.0.tar.gz#sha256=` + sha + `" does not exist`},
		{"file:dist/geo-1.0.tar.gz#x", `"dist/geo-1.0.tar.gz#x" does not exist`},
		{"--extra-index https://h", `"--extra-index" is not an option that pip accepts here`},
		{"--extra-index-ur https://h", `unknown option "--extra-index-ur", did you mean "--extra-index-url"?`},
		{"--index-url", `"" is not a URL`},
		{"--index-url --pre", `"--pre" is not a URL`},
		{"-r", "a path is required here"},
		{"--pre torch", `"torch" is not an option that pip accepts here`},
		{"torch --pre", `"--pre" is not an option that pip accepts here`},
		{`-i "https://h\" x`, `"https://h\\" is not a URL` + "\n" + `"x" is not an option that pip accepts here`},
		{`--no-binary a,"b`, `--no-binary: "\"b" is neither :all: nor :none: nor a project`},
		{"--hash=sha256:" + sha, `"--hash" is not an option that pip accepts here`},
		{"a --hash=md5:" + sha, `--hash: "md5:` + sha + `" is not a complete md5, sha256, sha384, sha512 or blake2b of a file`},
		{"a --hash=sha256:zz", `--hash: "sha256:zz" is not a complete md5, sha256, sha384, sha512 or blake2b of a file`},
		{"a --config-settings x=y", "--config-settings can't be used: locked builds have no options"},
		{"a -C x=y", "-C can't be used: locked builds have no options"},
		{"a --global-option=x", "--global-option can't be used: locked builds have no options"},
		{"--install-option x", "--install-option can't be used: locked builds have no options"},
		{"--pypi-url https://h", `"--pypi-url" is not an option that pip accepts here`},
		{"-e ./dist/geo-1.0.tar.gz -e x", `"-e" is not an option that pip accepts here`},
		{"-i wheels", `"wheels" is not a URL`},
		{"--extra-index-url ftp://h", `"ftp://h" is not a URL`},
		{"-f nowhere", `"nowhere" does not exist`},
		{"-f 'a b'", `"a b" does not exist`},
		{"-r base.txt", `"base.txt" does not exist`},
		{"-c 'my pins.txt'", `"my pins.txt" does not exist`},
		{"-r wheels", `"wheels" is not a file`},
		{"-r https://h/x.txt", `"https://h/x.txt" is a URL; keep a copy of it in the directory of image.toml`},
		{"-r ../x.txt", `"../x.txt" leads out of the directory of image.toml`},
		{"-r /etc/x.txt", `"/etc/x.txt" leads out of the directory of image.toml`},
		{"-c ''", "a path is required here"},
		{"-i https://me:geheim@h", "the URL contains a password; write ${NAME} instead or use ~/.netrc"},
		{"-i https://me:${token}@h", "the URL contains a password; write ${NAME} instead or use ~/.netrc"},
		{"-i https://h/${TOKEN}/simple", `"${TOKEN}" isn't allowed here`},
		{"torch==${TOKEN}", `"${TOKEN}" isn't allowed here`},
		{"-i https://me:${LINE}@h", "the URL's user or password contains a control character"},
		{"-i https://me:ge/heim@h", `"https://…" is not a URL`},
		{"x @ https://me:ge/heim@h/x.zip", `"https://…"` + notWeb},
		{"me:ge heim@://me:ge/heim@h/x.zip", `"me:ge heim@://…"` + notWeb},
	} {
		t.Run(tt.text, func(t *testing.T) {
			_, err := reqfile.Read(options(map[string]string{"requirements.txt": "\n" + tt.text + "\n"}))
			var want []string
			for one := range strings.SplitSeq(tt.want, "\n") {
				want = append(want, "requirements.txt:2: "+one)
			}
			equal(t, "problems", messages(t, err), want)
			if failure.KindOf(err) != failure.Usage {
				t.Errorf("the problem is of kind %d", failure.KindOf(err))
			}
		})
	}
}

const (
	notOne = " is not a requirement: NAME[EXTRAS]==VERSION, NAME @ URL, or the ./PATH of an archive"
	notWeb = " is not a valid https://, http://, git+https:// or git+ssh:// URL"
)

// All problems of all files are reported, in the order of reading.
func TestProblemsOfFiles(t *testing.T) {
	o := options(map[string]string{
		"requirements.txt": text("a b --hash=x --config-settings a --pre", "-r sub/a.txt", "-i https://a:b@h --no-idex x --nothing"),
		"sub/a.txt":        text("b c", "-r gone.txt", "-c ../a.txt", "-r ../latin.txt", "./own/geo-1.0.zip"),
		"latin.txt":        "a\r\nM\xfcller",
		"big.txt":          strings.Repeat("#", 16<<20+1),
	})
	o.Requirements = append(o.Requirements, "gone.txt", "../x.txt", "big.txt", "wheels", "https://h/x.txt")
	o.Constraints = []string{"pins.txt"}
	_, err := reqfile.Read(o)
	equal(t, "problems", messages(t, err), []string{
		`requirements.txt:1: --config-settings can't be used: locked builds have no options`,
		`requirements.txt:1: "--pre" is not an option that pip accepts here`,
		`requirements.txt:1: "a b"` + notOne,
		`sub/a.txt:1: "b c"` + notOne,
		`sub/a.txt:2: "sub/gone.txt" does not exist`,
		`sub/a.txt:3: "a.txt" does not exist`,
		`latin.txt:2: "\xfc" isn't allowed here`,
		`sub/a.txt:5: "own/geo-1.0.zip" does not exist`,
		`requirements.txt:3: the URL contains a password; write ${NAME} instead or use ~/.netrc`,
		`requirements.txt:3: unknown option "--no-idex", did you mean "--no-index"?`,
		`requirements.txt:3: "--nothing" is not an option that pip accepts here`,
		`"gone.txt" does not exist`,
		`"../x.txt" leads out of the directory of image.toml`,
		`"big.txt" is larger than 16 MB`,
		`"wheels" is not a file`,
		`"https://h/x.txt" is a URL; keep a copy of it in the directory of image.toml`,
		`"pins.txt" does not exist`,
	})
}

// The paths that a Conda environment freezes are reported together, however many there are.
func TestFrozenPaths(t *testing.T) {
	const cure = `replace such paths with versions, as "pip list --format=freeze" does`
	place := func(number string) string {
		return "requirements.txt:" + number + `: "/croot/a/work" is a path on the machine that wrote this list`
	}
	lines := []string{
		"a @ file:///croot/a/work", "b==1", "a[x] @ file:///croot/a/work ; os_name == 'a'", "-e a@file:///croot/a/work", "a @ file:///croot/b",
		"a @ file:///C:/ci/a", "c d",
	}
	_, err := reqfile.Read(options(map[string]string{"requirements.txt": text(lines[:4]...)}))
	equal(t, "a few", messages(t, err), []string{place("1"), "requirements.txt:4: 3 lines up to this one have such paths"})
	equal(t, "hints", failure.Hints(err), []string{cure})
	_, err = reqfile.Read(options(map[string]string{"requirements.txt": text(lines...)}))
	equal(t, "many", messages(t, err), []string{
		place("1"), `requirements.txt:7: "c d"` + notOne, "requirements.txt:6: 5 lines up to this one have such paths",
	})
}

func TestHints(t *testing.T) {
	const percent = "in a URL a space is %20, and in its user and password @ : / ? # are %40 %3A %2F %3F %23"
	tree := func(dir string) string {
		return "write sources = [\"" + dir + "\"] under [python] of image.toml to install the tree and its dependencies"
	}
	for text, want := range map[string]string{
		"./source":               tree("source"),
		".":                      tree("."),
		"-e .[dev]":              tree("."),
		"x @ ./source":           tree("source"),
		"-i wheels":              "for a directory of wheels, use --find-links; " + percent,
		"x @ ftp://h/x":          percent,
		"https://me:ge/heim@h/x": percent,
		"a==${TOKEN}":            "a line is UTF-8 without control characters; ${NAME} is for a URL's user and password; nothing may follow a backslash that joins lines",
		"a b":                    "",
	} {
		_, err := reqfile.Read(options(map[string]string{"requirements.txt": text}))
		if got := strings.Join(failure.Hints(err), "\n"); err == nil || got != want {
			t.Errorf("%q: got the hints %q, want %q", text, got, want)
		}
	}
}

// A requirement outside of a file can neither have files next to it nor a login.
func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"a":                                   "",
		"a[b] >= 1, <2; python_version > '3'": "",
		"a @ https://h/a-1.0.tar.gz#sha256=" + sha: "",
		"https://h/y-1-py3-none-any.whl":           "",
		"x==":                                      "", // uv says what is wrong
		"x 1":                                      `"x 1"` + notOne,
		"x[":                                       `"x["` + notOne,
		"x==1 --hash=sha256:" + sha:                `"x==1 --hash=sha256:` + sha + `" is not a name or NAME @ URL alone`,
		"x==${TOKEN}":                              `"x==${TOKEN}" is not a name or NAME @ URL alone`,
		"x.whl":                                    `"x.whl" does not exist`,
		"https://h/x.zip":                          `"https://h/x.zip" is not a name or NAME @ URL alone`,
		"x @ https://me:geheim@h/x.zip":            `"https://…"` + notWeb,
		"":                                         `""` + notOne,
	} {
		_, err := reqfile.Parse(text)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestTwoLoginsForOneHost(t *testing.T) {
	_, err := reqfile.Read(options(map[string]string{"requirements.txt": text("-i https://${USER}@H/a", "-f https://${TOKEN}@h/b")}))
	equal(t, "problems", messages(t, err), []string{`requirements.txt:2: "h" has a different user or password on another line`})
}

// Requirements don't depend on the tokens being set.
func TestVariablesThatAreNotSet(t *testing.T) {
	o := options(map[string]string{"requirements.txt": text("-i https://${NOBODY}:${NOTHING}@H:1/simple", "-f https://${USER}:${TOKEN}@h/b", "a")})
	s, err := reqfile.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Unset) != 1 || s.Unset[0].Host != "h:1" || len(s.Logins) != 1 {
		t.Fatalf("got %d logins, and unset %v", len(s.Logins), s.Unset)
	}
	equal(t, "of the index", messages(t, s.Unset[0].Err), []string{
		"requirements.txt:1: variable NOBODY is not set", "requirements.txt:1: variable NOTHING is not set",
	})
	o.Env = nil
	bare, err := reqfile.Read(o)
	if err != nil || len(bare.Logins) != 0 || len(bare.Unset) != 2 {
		t.Fatalf("without an environment: %d logins, unset %v, %v", len(bare.Logins), bare.Unset, err)
	}
	bare.Found, s.Found = userinfo.Found{}, userinfo.Found{}
	equal(t, "what is asked for", bare, s)
}

// broken is a file system whose files can't be read.
type broken struct{ fs.FS }

func (b broken) Open(name string) (fs.File, error) {
	if name == "denied.txt" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	f, err := b.FS.Open(name)
	return brokenFile{f}, err
}

type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestUnreadableFiles(t *testing.T) {
	tree := directory(map[string]string{"read.txt": "a"})
	tree["pipe"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	_, err := reqfile.Read(reqfile.Options{FS: broken{tree}, Requirements: []string{"denied.txt", "read.txt", "pipe"}})
	equal(t, "problems", messages(t, err), []string{"open denied.txt: permission denied", `reading "read.txt": unexpected EOF`, `"pipe" is not a file`})
}
