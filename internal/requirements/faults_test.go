package requirements_test

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"lamina.build/internal/fault"
	"lamina.build/internal/requirements"
)

// Each text is one line; the message stands behind its place.
func TestFaults(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		// Names and versions.
		{"torch=2.6", `"torch=2.6": "=" is no operator, did you mean "=="?`},
		{"torch => 2.6", `"torch => 2.6": "=>" is no operator, did you mean ">="?`},
		{"torch ^2.6", `"torch ^2.6": "^" is no operator, did you mean "~="?`},
		{"torch 2.6", `"torch 2.6": want one of === == ~= != <= >= < > before "2.6"`},
		{"torch>=2 <3", `"torch>=2 <3": want a , or ; before "<3"`},
		{"torch,>=2", `"torch,>=2": want one of === == ~= != <= >= < > before ",>=2"`},
		{"torch==", `"torch==": "" is not a version`},
		{"torch==2.x", `"torch==2.x": "2.x" is not a version`},
		{"torch==2a1.*", `"torch==2a1.*": "2a1.*" is not a version`},
		{"torch==.*", `"torch==.*": ".*" is not a version`},
		{"torch>=2.*", `"torch>=2.*": "2.*" stands behind >=, .* only goes with == and !=`},
		{"torch>=2+cu124", `"torch>=2+cu124": "2+cu124" stands behind >=, a local version only goes with == and !=`},
		{"torch~=2", `"torch~=2": "2" stands behind ~=, which needs two numbers`},
		{"torch===", `"torch===": no plain text stands behind ===`},
		{"torch===ü", `"torch===ü": no plain text stands behind ===`},
		{"torch (>=2", `"torch (>=2": a ( is not closed`},
		{"torch >=2)", `"torch >=2)": want a , or ; before ")"`},
		{"torch-", `"torch-": "torch-" is not the name of a project`},
		{"_torch", `"_torch": "_torch" is not the name of a project`},
		{"*", `"*": it doesn't begin with the name of a project`},
		{"über", `"über": it doesn't begin with the name of a project`},
		{"torch[a", `"torch[a": extras are written [a,b]`},
		{"torch[a b]", `"torch[a b]": extras are written [a,b]`},
		{"torch[,]", `"torch[,]": extras are written [a,b]`},
		{"torch[a,]", `"torch[a,]": extras are written [a,b]`},
		{"torch \\ # continued", errLooseBackslash},
		{"to\x01rch", `the line holds the control character '\x01'`},
		{"torch\u2028numpy", `the line holds the control character '\u2028'`},
		{strings.Repeat("ü", 100) + "=1", `"` + strings.Repeat("ü", 60) + `…": it doesn't begin with the name of a project`},

		// Markers.
		{"a; python_verson < '3'", `marker "python_verson < '3'": unknown variable "python_verson", did you mean "python_version"?`},
		{"a; something < '3'", `marker "something < '3'": unknown variable "something"`},
		{"a; os_name", `marker "os_name": want one of === == ~= != <= >= < > before ""`},
		{"a; os_name = 'x'", `marker "os_name = 'x'": "=" is no operator, did you mean "=="?`},
		{"a; os_name ==", `marker "os_name ==": want a variable or a quoted text before ""`},
		{"a; os_name == 'x", `marker "os_name == 'x": a quote is not closed`},
		{`a; os_name == 'x\y'`, `marker "os_name == 'x\\y'": "x\\y" holds a backslash`},
		{"a; os_name not 'x'", `marker "os_name not 'x'": want "in" behind "not"`},
		{"a; os_name inn 'x'", `marker "os_name inn 'x'": want one of === == ~= != <= >= < > before "inn 'x'"`},
		{"a; os_name == 'x' os_name", `marker "os_name == 'x' os_name": want "and" or "or" before "os_name"`},
		{"a; os_name == 'x' and", `marker "os_name == 'x' and": want a variable or a quoted text before ""`},
		{"a; (os_name == 'x'", `marker "(os_name == 'x'": a ( is not closed`},
		{"a; (os_name", `marker "(os_name": want one of === == ~= != <= >= < > before ""`},
		{"; os_name == 'x'", `a marker stands without a requirement`},
		{"a; " + strings.Repeat("(", 66), `marker "` + strings.Repeat("(", 66) + `": its parentheses are too deep`},

		// URLs.
		{"https://h/geo", `"https://h/geo" is not the URL of an archive (.whl, .tar.gz, .zip, …)`},
		{"https:h/geo.zip", `"https:h/geo.zip" is not a URL that starts with https:// or http://`},
		{"https:///geo.zip", `the URL has no valid host and port`},
		{"https://h:x/geo.zip", `the URL has no valid host and port`},
		{"https://h/../geo.zip", `"https://h/../geo.zip" has . or .. in its path, which is not clean`},
		{"https://h/%zz/geo.zip", `"https://h/%zz/geo.zip" is not a valid URL`},
		{"https://h/a b/geo.zip", `"https://h/a b/geo.zip" holds ' ', which a URL has only percent-encoded`},
		{"https://h/ü.zip", `"https://h/ü.zip" holds 'ü', which a URL has only percent-encoded`},
		{"https://h/geo.zip#md5=0123", `md5 vouches for nothing, write #sha256=…`},
		{"https://h/geo.zip#sha256=0123", `"sha256:0123" is not a hash: sha256 has 64 hexadecimal digits`},
		{"https://h/geo.zip#eg=geo", `unknown part "eg" of the URL's fragment, did you mean "egg"?`},
		{"https://h/geo.zip#egg=a&egg=b", `the URL's fragment has two "egg"`},
		{"https://h/geo.zip#egg=a==1", `"a==1" is not the name of a project`},
		{"https://h/geo.zip#egg=", `it doesn't begin with the name of a project`},
		{"https://h/geo.zip#subdirectory=../x", `subdirectory "../x" is not a plain path below the root of what it is in`},
		{"a @ https://h/geo.zip#egg=b", `#egg=b is not a`},
		{"a @ https://h/" + wheel, `"` + wheel + `" is a wheel of torch-geo, not of a`},
		{"https://h/geo.whl", `"geo.whl" is not a wheel's name, NAME-VERSION-PYTHON-ABI-PLATFORM.whl`},
		{"a @ geo.zip", `"geo.zip" behind the @ is not a URL`},
		{"ftp://h/geo.zip", `"ftp://h/geo.zip" is not a URL that starts with https://, http:// or git+https://`},
		{`C:\geo.zip`, `"C:\\geo.zip" is not a URL that starts with https://, http:// or git+https://`},
		{"git@github.com:a/b.git", `"github.com:a/b.git" is not a URL that starts with https://, http:// or git+https://`},

		// Repositories.
		{"x @ git+https://h/x.git", `git+https://h/x.git is not pinned to a commit; write @<40 hexadecimal digits>`},
		{"x @ git+https://h/x.git@v1.0", `git+https://h/x.git@v1.0 is not pinned to a commit; write @<40 hexadecimal digits>`},
		{"x @ git+https://h/x.git@" + commit[:12], `git+https://h/x.git@` + commit[:12] + ` is not pinned to a commit; write @<40 hexadecimal digits>`},
		{"x @ git+https:h/x.git", `"https:h/x.git" is not a URL that starts with https:// or http://`},
		{"x @ git+https://h/x.git?a@" + commit, `git+https://h/x.git?a has a query, want a plain address`},
		{"git+https://h/x.git@" + commit, `git+https://h/x.git has no name`},
		{"y @ git+https://h/x.git@" + commit + "#egg=x", `#egg=x is not y`},
		{"x @ git+https://h/x.git@" + commit + "#sha256=" + sha, `git+https://h/x.git has a hash, which its commit is already`},
		{"x @ git+https://h/x.git@" + commit + " --hash=sha256:" + sha, `--hash can't stand behind a repository, whose commit is its hash`},
		{"git+ssh://git@h/x.git@" + commit + "#egg=x", `"git+ssh://" can't be used: git over ssh needs a key, write git+https://`},
		{"x @ ssh://git@h/x.git", `"ssh://" can't be used: git over ssh needs a key, write git+https://`},
		{"git+file:///x.git@" + commit, `"git+file://" can't be used: the repository is on one machine only, write git+https://`},
		{"git://h/x.git", `"git://" can't be used: nothing vouches for the host, write git+https://`},
		{"git+git://h/x.git", `"git+git://" can't be used: nothing vouches for the host, write git+https://`},
		{"hg+https://h/x", `"hg+https://" can't be used: of version control systems only git's commits are known to stay the same`},
		{"svn+http://h/x", `"svn+http://" can't be used: of version control systems only git's commits are known to stay the same`},
		{"bzr+sftp://h/x", `"bzr+sftp://" can't be used: of version control systems only git's commits are known to stay the same`},

		// Paths.
		{"./nowhere.whl", `"./nowhere.whl" does not exist`},
		{"a/b", `"a/b" does not exist`},
		{"./source", `"./source" is a folder, and a requirement file only installs archives`},
		{"-e .", `"." is a folder, and a requirement file only installs archives`},
		{"-e .[dev]", `"." is a folder, and a requirement file only installs archives`},
		{"./wheels/notes.txt", `"./wheels/notes.txt" is not an archive (.whl, .tar.gz, .zip, …)`},
		{"./wheels/odd.whl", `"odd.whl" is not a wheel's name, NAME-VERSION-PYTHON-ABI-PLATFORM.whl`},
		{"../geo.zip", `"../geo.zip" leads out of the folder of image.toml`},
		{"/geo.zip", `"/geo.zip" is absolute, want a path below the folder of image.toml`},
		{"~/geo.zip", `"~/geo.zip" is absolute, want a path below the folder of image.toml`},
		{`.\geo.zip`, `".\\geo.zip" holds a backslash, paths are written with /`},
		{"./a b.zip", `"./a b.zip" holds ' ', want a path of letters, digits and ._+-~!@=,/`},
		{"./ü.zip", `"./ü.zip" holds 'ü', want a path of letters, digits and ._+-~!@=,/`},
		{"./" + wheel + "[a b]", `extras are written [a,b]`},
		{"file:///geo.zip", `"/geo.zip" is absolute, want a path below the folder of image.toml`},
		{"file://localhost/geo.zip", `"/localhost/geo.zip" is absolute, want a path below the folder of image.toml`},
		{"file:", `"" is not a path`},
		{"file:dist/geo-1.0.tar.gz#sha256=" + sha, `"file:dist/geo-1.0.tar.gz#sha256=` + sha + `" has a fragment other than #egg=NAME; a hash is written --hash=sha256:…`},
		{"file:dist/geo-1.0.tar.gz#x", `unknown part "x" of the URL's fragment`},
		{"a @ file:dist/geo-1.0.tar.gz#egg=b", `#egg=b is not a`},

		// Options.
		{"--extra-index https://h", `unknown option "--extra-index"`},
		{"--extra-index-ur https://h", `unknown option "--extra-index-ur", did you mean "--extra-index-url"?`},
		{"--pre=x", `option --pre takes no value`},
		{"--index-url", `option --index-url has no value`},
		{"--index-url --pre", `option --index-url has no value`},
		{"-r", `option -r has no value`},
		{"--pre torch", `"torch" stands behind an option, where pip ignores it`},
		{"torch --pre", `--pre stands behind a requirement, where pip ignores it`},
		{"-i 'https://h", `a quote is not closed`},
		{`-i "https://h\" x`, `a quote is not closed`},
		{"--hash=sha256:" + sha, `--hash stands on a line without a requirement`},
		{"a --hash=md5:" + sha, `--hash: "md5:` + sha + `" is not a hash that pip trusts, write sha256:…`},
		{"a --hash=sha256:zz", `--hash: "sha256:zz" is not a hash: sha256 has 64 hexadecimal digits`},
		{"a --config-settings x=y", `--config-settings can't be used: locked builds have no options`},
		{"a -C x=y", `--config-settings can't be used: locked builds have no options`},
		{"a --global-option=x", `--global-option can't be used: locked builds have no options`},
		{"--install-option x", `--install-option can't be used: locked builds have no options`},
		{"--pypi-url https://h", `--pypi-url can't be used: it is obsolete, write --index-url`},
		{"-e ./dist/geo-1.0.tar.gz -e x", `--editable stands behind a requirement, where pip ignores it`},
		{"-i wheels", `--index-url: "wheels" is not a URL`},
		{"-i https://h/x?y", `--index-url: "https://h/x?y" has a query or fragment, want a plain address`},
		{"--extra-index-url ftp://h", `--extra-index-url: "ftp://h" is not a URL that starts with https:// or http://`},
		{"-f https://h/x#y", `--find-links: "https://h/x#y" has a fragment, want a plain address`},
		{"-f nowhere", `--find-links: "nowhere" does not exist`},
		{"-f 'a b'", `--find-links: "a b" holds ' ', want a path of letters, digits and ._+-~!@=,/`},
		{"--no-binary=a,,b", `--no-binary: "a,,b" is not a list of projects, :all: or :none:`},
		{"--no-binary=a!b", `--no-binary: "a!b" is not a list of projects, :all: or :none:`},
		{"--only-binary -x", "option --only-binary has no value\nunknown option \"-x\""},

		// Includes.
		{"-r base.txt", `"base.txt" does not exist`},
		{"-c 'my pins.txt'", `"my pins.txt" does not exist`},
		{"-r wheels", `"wheels" is not a file`},
		{"-r https://h/x.txt", `"https://h/x.txt" is a URL, want a file`},
		{"-r ../x.txt", `"../x.txt" leads out of the folder of image.toml`},
		{"-r /etc/x.txt", `"/etc/x.txt" is absolute, want a path below the folder of image.toml`},
		{"-c ''", `option -c has no value`},

		// Logins.
		{"-i https://me:geheim@h", `the URL holds a password; write ${NAME} in its place or use ~/.netrc`},
		{"-i https://me:${token}@h", `the URL holds a password; write ${NAME} in its place or use ~/.netrc`},
		{"-i https://h/${TOKEN}/simple", `${TOKEN} stands outside of a URL's user and password`},
		{"torch==${TOKEN}", `${TOKEN} stands outside of a URL's user and password`},
		{"-i https://me:${LINE}@h", `the URL's user or password holds a control character`},
		{"-i https://me:ge/heim@h", `--index-url: the URL has no valid host and port`},
		{"x @ https://me:ge/heim@h/x.zip", `the URL has no valid host and port`},
		{"me:ge heim@://me:ge/heim@h/x.zip", `"me:ge heim@://…" is not a URL that starts with https://, http:// or git+https://`},
	} {
		t.Run(tt.text, func(t *testing.T) {
			_, err := requirements.Read(options(map[string]string{"requirements.txt": "\n" + tt.text + "\n"}))
			var want []string
			for one := range strings.SplitSeq(tt.want, "\n") {
				want = append(want, "requirements.txt:2: "+one)
			}
			equal(t, "faults", messages(t, err), want)
			if fault.KindOf(err) != fault.Usage {
				t.Errorf("the fault is of kind %d", fault.KindOf(err))
			}
		})
	}
}

const errLooseBackslash = `a backslash joins lines only as the last character of one, without white space or a comment behind it`

func TestFaultsOfConstraints(t *testing.T) {
	o := options(map[string]string{"pins.txt": text(
		"a[b]>1", "https://h/geo.zip", "./"+wheel+"[x] ; os_name == 'a'", "./"+wheel, "geo[x] @ file:dist/geo-1.0.tar.gz", "a>1",
	)})
	o.Requirements, o.Constraints = nil, []string{"pins.txt"}
	_, err := requirements.Read(o)
	equal(t, "faults", messages(t, err), []string{
		`pins.txt:1: constraint "a[b]>1" has extras`,
		`pins.txt:2: constraint "https://h/geo.zip" has no name`,
		`pins.txt:3: constraint "./` + wheel + `[x] ; os_name == \"a\"" has extras`,
		`pins.txt:5: constraint "geo[x] @ file:dist/geo-1.0.tar.gz" has extras`,
	})
}

// All faults of all files are told, in the order of reading.
func TestFaultsOfFiles(t *testing.T) {
	o := options(map[string]string{
		"requirements.txt": text("a=1; x == '1' --hash=x --config-settings a --pre", "-r sub/a.txt", "-i https://a:b@h --nothing --no-thing"),
		"sub/a.txt":        text("b=1", "-r gone.txt", "-c ../a.txt", "-r ../latin.txt", "./own/geo-1.0.zip"),
		"latin.txt":        "a\r\n# M\xfcller",
		"big.txt":          strings.Repeat("#", 16<<20+1),
	})
	o.Requirements = append(o.Requirements, "gone.txt", "../x.txt", "big.txt", "wheels", "https://h/x.txt")
	o.Constraints = []string{"pins.txt"}
	_, err := requirements.Read(o)
	equal(t, "faults", messages(t, err), []string{
		`requirements.txt:1: --hash: "x" is not a hash that pip trusts, write sha256:…`,
		`requirements.txt:1: --config-settings can't be used: locked builds have no options`,
		`requirements.txt:1: --pre stands behind a requirement, where pip ignores it`,
		`requirements.txt:1: "a=1": "=" is no operator, did you mean "=="?`,
		`requirements.txt:1: marker "x == '1'": unknown variable "x"`,
		`sub/a.txt:1: "b=1": "=" is no operator, did you mean "=="?`,
		`sub/a.txt:2: "sub/gone.txt" does not exist`,
		`sub/a.txt:3: "a.txt" does not exist`,
		`latin.txt:2: the text is not UTF-8`,
		`sub/a.txt:5: "./own/geo-1.0.zip" does not exist`,
		`requirements.txt:3: the URL holds a password; write ${NAME} in its place or use ~/.netrc`,
		`requirements.txt:3: unknown option "--nothing"`,
		`requirements.txt:3: unknown option "--no-thing"`,
		`gone.txt: does not exist`,
		`../x.txt: leads out of the folder of image.toml`,
		`big.txt: holds more than 16 MB`,
		`wheels: is not a file`,
		`https://h/x.txt: is a URL, want a file`,
		`pins.txt: does not exist`,
	})
	equal(t, "hints", fault.Hints(err), []string{
		"save the file in the encoding UTF-8",
		`paths begin at the folder of image.toml: write "./sub/own/geo-1.0.zip"`,
		"keep a copy of it in the folder of image.toml",
	})
}

func TestHints(t *testing.T) {
	for text, want := range map[string]string{
		"./source":                               `let image.toml install it: [python] sources = ["source"]`,
		"-e .[dev]":                              `let image.toml install it: [python] sources = ["."]`,
		"git+https://h/x.git@" + commit:          `write "NAME @ git+https://h/x.git@` + commit + `"`,
		"x @ git+https://h/x.git":                `"git ls-remote https://h/x.git" lists commits`,
		"x @ geo.zip":                            "the path of an archive is written ./PATH, without a name",
		"-i wheels":                              "a folder of wheels is for --find-links",
		"a==${TOKEN}":                            "a lock holds what every machine reads alike: write the value",
		"-i https://me:ge/heim@h":                "in a user or password, @ : / ? # are written %40 %3A %2F %3F %23",
		"https://h/x.zip\nhttps://a@h/x.zip\na=": "",
	} {
		_, err := requirements.Read(options(map[string]string{"requirements.txt": text}))
		if got := strings.Join(fault.Hints(err), "\n"); got != want {
			t.Errorf("%q: got the hints %q, want %q", text, got, want)
		}
	}
}

// What stands in no file can neither lie beside one nor hold a login.
func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"a":                                   "",
		"a[b] >= 1, <2; python_version > '3'": "",
		"a @ https://h/a-1.0.tar.gz#sha256=" + sha: "",
		"x==":                                `"x==": "" is not a version`,
		"x=1":                                `"x=1": "=" is no operator, did you mean "=="?`,
		"x==1; nothing":                      `marker "nothing": `,
		"x[":                                 `"x[": extras are written [a,b]`,
		"x==1 --hash=sha256:" + sha:          `"x==1 --hash`,
		"x.whl":                              `"x.whl" does not exist`,
		"https://h/x.zip":                    `"https://h/x.zip" has no name`,
		"x @ https://me:geheim@h/x.zip":      "the URL has no valid host and port",
		"x @ https://h/y-1-py3-none-any.whl": `"y-1-py3-none-any.whl" is a wheel of y, not of x`,
	} {
		err := requirements.Check(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestTwoLoginsForOneHost(t *testing.T) {
	_, err := requirements.Read(options(map[string]string{"requirements.txt": text("-i https://${USER}@H/a", "-f https://${TOKEN}@h/b")}))
	equal(t, "faults", messages(t, err), []string{`requirements.txt:2: "h" has a different user or password on another line`})
}

// What is wished for doesn't depend on who has the tokens.
func TestVariablesThatAreNotSet(t *testing.T) {
	o := options(map[string]string{"requirements.txt": text("-i https://${NOBODY}:${NOTHING}@H:1/simple", "-f https://${USER}:${TOKEN}@h/b", "a")})
	s, err := requirements.Read(o)
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
	bare, err := requirements.Read(o)
	if err != nil || len(bare.Logins) != 0 || len(bare.Unset) != 2 {
		t.Fatalf("without an environment: %d logins, unset %v, %v", len(bare.Logins), bare.Unset, err)
	}
	equal(t, "wishes", bare.Wishes(), s.Wishes())
}

// broken is a file system whose files can't be read.
type broken struct{ fstest.MapFS }

func (b broken) Open(name string) (fs.File, error) {
	if name == "denied.txt" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	f, err := b.MapFS.Open(name)
	return brokenFile{f, name}, err
}

type brokenFile struct {
	fs.File
	name string
}

func (b brokenFile) Stat() (fs.FileInfo, error) {
	if b.name == "stat.txt" {
		return nil, errors.New("no information")
	}
	return b.File.Stat()
}

func (brokenFile) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestUnreadableFiles(t *testing.T) {
	_, err := requirements.Read(requirements.Options{
		FS:           broken{folder(map[string]string{"stat.txt": "", "read.txt": "-r denied.txt"})},
		Requirements: []string{"denied.txt", "stat.txt", "read.txt"},
	})
	equal(t, "faults", messages(t, err), []string{
		"denied.txt: can't be read: permission denied",
		"stat.txt: can't be read: no information",
		"read.txt: can't be read: unexpected EOF",
	})
	tree := folder(map[string]string{"requirements.txt": text("-f pipe", "./pipe")})
	tree["pipe"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	_, err = requirements.Read(requirements.Options{FS: tree, Requirements: []string{"requirements.txt"}})
	if got := messages(t, err); !slices.Contains(got, `requirements.txt:2: "./pipe" is neither a file nor a folder`) || len(got) != 2 {
		t.Errorf("got %q", got)
	}
}
