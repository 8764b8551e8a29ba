package uv

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

var pypi = Indexes{Default: "https://pypi.example/simple"}

func TestOptionsOfUV(t *testing.T) {
	for _, tt := range []struct {
		name, text, strategy string
		all, formats         string
	}{
		{"none", "a\n", "", "", ""},
		{"strategy", "a\n", "unsafe-best-match", "--index-strategy unsafe-best-match", ""},
		{"before their release", "--pre\na\n", "", "--prerelease allow", ""},
		{"formats", "--no-binary a,b\n--only-binary C_c\na\n", "", "", "--no-binary a --no-binary b --only-binary c-c"},
		{"formats of all", "--only-binary :all:\na\n", "", "", "--only-binary :all:"},
		{"what uv does anyway", "--prefer-binary\n--require-hashes\na --hash=sha256:" + strings.Repeat("0", 64) + "\n", "", "", ""},
		{"links", "--find-links https://links.example/all\n--find-links wheels\na\n", "", "--find-links https://links.example/all --find-links /.lamina/project/wheels", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Files: requirements(t, map[string]string{"requirements.txt": tt.text, "wheels/a.whl": ""}), IndexStrategy: tt.strategy}
			all, formats := r.options()
			equal(t, "options", strings.Join(all, " "), tt.all)
			equal(t, "formats", strings.Join(formats, " "), tt.formats)
		})
	}
}

func TestIndexesOfUV(t *testing.T) {
	bound := []Index{{Name: "torch", URL: "https://torch.example", Packages: []string{"torch"}}, {Name: "own", URL: "https://own.example", Packages: []string{"own"}}}
	further := Indexes{Default: "https://pypi.example/simple", Further: []string{"https://more.example"}}
	for _, tt := range []struct {
		name, text string
		bound      []Index
		where      Indexes
		want       string
	}{
		{"default", "a\n", nil, pypi, "--default-index https://pypi.example/simple"},
		{"further", "a\n", nil, further, "--index https://more.example --default-index https://pypi.example/simple"},
		{"bound ones first", "a\n", bound, further, "--index https://torch.example --index https://own.example --index https://more.example --default-index https://pypi.example/simple"},
		{"extra ones of files before those of the machine", "--extra-index-url https://x.example\na\n", nil, further, "--index https://x.example --index https://more.example --default-index https://pypi.example/simple"},
		{"files before all", "-i https://files.example\n--extra-index-url https://x.example\na\n", bound, further, "--index https://torch.example --index https://own.example --index https://x.example --default-index https://files.example"},
		{"none", "--no-index\na\n", nil, further, "--no-index"},
		{"none but bound ones", "--no-index\na\n", bound, further, "--index https://torch.example --default-index https://own.example"},
		{"none but one", "--no-index\na\n", bound[:1], further, "--default-index https://torch.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Files: requirements(t, map[string]string{"requirements.txt": tt.text}), Indexes: tt.bound}
			equal(t, "arguments", strings.Join(r.indexArgs(tt.where), " "), tt.want)
		})
	}
}

// A project's own default index leaves those that the spec binds, and a lock that was
// made from others leaves none.
func TestIndexesOfProjects(t *testing.T) {
	const own, mirrored = "https://own.example", "https://pypi.example/simple"
	for _, tt := range []struct {
		name string
		uses ProjectIndexes
		want string
	}{
		{"none of its own", ProjectIndexes{}, "--index https://torch.example --default-index https://pypi.example/simple"},
		{"its own", ProjectIndexes{URLs: []string{own}, Default: true}, "--index https://torch.example"},
		{"a lock from them", ProjectIndexes{URLs: []string{mirrored}, Locked: true}, "--index https://torch.example --default-index https://pypi.example/simple"},
		{"a lock from others", ProjectIndexes{URLs: []string{own}, Locked: true}, ""},
		{"a lock of its own", ProjectIndexes{URLs: []string{own, mirrored}, Default: true, Locked: true}, ""},
	} {
		r := Request{Project: ".", Uses: tt.uses, Indexes: []Index{{Name: "torch", URL: "https://torch.example", Packages: []string{"torch"}}}}
		equal(t, tt.name, strings.Join(r.exportArgs(pypi), " "), tt.want)
	}
}

func TestServing(t *testing.T) {
	r := Request{Indexes: []Index{{URL: "https://torch.example", Packages: []string{"torch"}}, {URL: "https://more.example", Packages: []string{"torch", "six"}}}}
	where := Indexes{Default: "https://pypi.example/simple", Further: []string{"https://f.example"}}
	equal(t, "bound to two", r.serving("torch", where), []string{"https://torch.example", "https://more.example"})
	equal(t, "bound to none", r.serving("numpy", where), []string{"https://f.example", "https://pypi.example/simple"})
	r.Files.NoIndex = true
	equal(t, "bound", r.serving("six", where), []string{"https://more.example"})
	equal(t, "no index", r.serving("numpy", where), nil)
	equal(t, "further ones", where.Further, []string{"https://f.example"})
}

func TestQuestion(t *testing.T) {
	r := Request{
		Set: lock.ParseSet("python"),
		Files: requirements(t, map[string]string{
			"requirements.txt": "numpy <2 # of old\n./wheels/a-1.0-py3-none-any.whl\nb @ ./wheels/b.tar.gz\nc @ https://c.example/c.whl\n-r more.txt\n",
			"more.txt":         "\n\nscipy\n", "constraints.txt": "pandas<3 --hash=sha256:" + strings.Repeat("0", 64) + "\n", "wheels/a-1.0-py3-none-any.whl": "", "wheels/b.tar.gz": "",
		}),
		Overrides: []string{"six==1.16"}, Excludes: []string{"opencv-python"}, BuildRequires: map[string][]string{"b": {"cython"}},
		Sources: map[string]string{"native": "src/native"}, Optional: []string{"scipy"}, Extras: []string{"GPU"}, Groups: []string{"dev"},
		Places: map[string]string{"overrides six==1-16": "image.toml:3:14", "excludes opencv-python": "image.toml:4:13", "extras gpu": "image.toml:5:11"},
	}
	q := r.ask(pypi, inventory{Image: map[string]string{"pillow": "9.4.0"}, Builder: map[string]string{"cython": "3.0"}}, versions{})
	equal(t, "requirements", q.Requirements, []requirement{
		{"numpy", "numpy<2"},
		{"a", "/.lamina/project/wheels/a-1.0-py3-none-any.whl"},
		{"b", "b @ /.lamina/project/wheels/b.tar.gz"},
		{"c", "c @ https://c.example/c.whl"},
		{"scipy", "scipy"},
	})
	equal(t, "hashes", q.Hashes, map[string][]string{"pandas": {"sha256:" + strings.Repeat("0", 64)}})
	equal(t, "constraints", q.Constraints, []string{"pandas<3"})
	equal(t, "trees", q.Trees, map[string]string{"native": "/.lamina/trees/native"})
	equal(t, "directories", q.Dirs, []string{"src/native"})
	var places []string
	for _, p := range q.places {
		places = append(places, p.name+" "+p.at)
	}
	equal(t, "places", places, []string{
		"numpy requirements.txt:1", "a requirements.txt:2", "b requirements.txt:3", "c requirements.txt:4", "scipy more.txt:3", "pandas constraints.txt:1",
		"six image.toml:3:14", "opencv-python image.toml:4:13", "extra gpu image.toml:5:11",
	})
	equal(t, "overrides", q.Overrides, []string{"six==1.16"})
	equal(t, "excludes", q.Excludes, []string{"opencv-python"})
	equal(t, "build requirements", q.BuildRequires, map[string][]string{"b": {"cython"}})
	equal(t, "image", q.Image, map[string]string{"pillow": "9.4.0"})
}

// An engine answers the same question once.
func TestQuestionsAreTheSameEachTime(t *testing.T) {
	r := Request{Sources: map[string]string{}, BuildRequires: map[string][]string{}}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		r.Sources[name], r.BuildRequires[name] = "src/"+name, []string{name}
	}
	text := func() string {
		data, err := json.Marshal(r.ask(pypi, inventory{}, versions{}))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := text()
	for range 20 {
		if again := text(); again != first {
			t.Fatalf("got %s, then %s", first, again)
		}
	}
}

func TestQuestionsOfLocks(t *testing.T) {
	for _, tt := range []struct {
		r                 Request
		pylock, directory string
	}{
		{Request{Lock: "locks/pylock.toml"}, "locks/pylock.toml", "locks"},
		{Request{Lock: "pylock.toml"}, "pylock.toml", "."},
		{Request{Project: "services/api"}, "uv.lock", "services/api"},
		{Request{}, "", ""},
	} {
		q := tt.r.ask(pypi, inventory{}, versions{})
		equal(t, "pylock", q.Pylock, tt.pylock)
		equal(t, "directory", q.Dir, tt.directory)
	}
}

func TestWhatAsksIndexes(t *testing.T) {
	for _, r := range []Request{
		{Files: reqfile.Set{Requirements: []reqfile.Requirement{{Name: "a"}}}},
		{Lock: "pylock.toml"},
		{Project: "."},
		{BuildRequires: map[string][]string{"a": {"b"}}},
	} {
		if !r.asksIndexes() {
			t.Errorf("%+v asks none", r)
		}
	}
	if (Request{Sources: map[string]string{"a": "a"}}).asksIndexes() {
		t.Error("a tree by itself asks an index")
	}
}

// dist returns a distribution of a lock.
func dist(name, version, file string, sets ...string) lock.Distribution {
	return lock.Distribution{Name: name, Version: version, File: file, URL: "https://files.example/" + file, SHA256: sumOf([]byte(file)), For: setsOf(sets)}
}

func setsOf(texts []string) []lock.Set {
	sets := make([]lock.Set, len(texts))
	for i, text := range texts {
		sets[i] = lock.ParseSet(text)
	}
	return sets
}

func commitOf(name string, sets ...string) lock.Distribution {
	return lock.Distribution{Name: name, Version: "1.0", URL: "git+https://g.example/" + name + "@0123456789012345678901234567890123456789", For: setsOf(sets)}
}

// before returns a lock of two variants, with two sdists, a commit, and build requirements.
func before() lock.Lock {
	return lock.Lock{
		UV: lock.UV{Version: "0.13.9"},
		Requirements: lock.Requirements{Python: []lock.PythonRequest{
			{Set: lock.ParseSet("python"), Lines: []string{"build-requires told: numpy", "sdist"}},
			{Set: lock.ParseSet("python@big"), Lines: []string{"sdist"}},
		}},
		Distributions: []lock.Distribution{
			dist("numpy", "1.26.4", "numpy-1.26.4-cp311-none-any.whl", "python", "python@big", "build:sdist", "build:sdist@big"),
			dist("sdist", "1.0", "sdist-1.0.tar.gz", "python"),
			dist("sdist", "2.0", "sdist-2.0.tar.gz", "python@big"),
			dist("told", "1.0", "told-1.0.tar.gz", "python"),
			dist("setuptools", "70.0", "setuptools-70.0-py3-none-any.whl", "build:sdist", "build:told"),
			dist("wheel", "0.43", "wheel-0.43-py3-none-any.whl", "build:sdist@big"),
			commitOf("sam", "python"),
		},
	}
}

func TestVersionsThatStay(t *testing.T) {
	pin := func(pairs ...string) string {
		var text strings.Builder
		text.WriteString("lock-version = \"1.0\"\ncreated-by = \"lamina\"\n")
		for _, p := range pairs {
			name, version, _ := strings.Cut(p, " ")
			text.WriteString("[[packages]]\nname = \"" + name + "\"\nversion = \"" + version + "\"\n")
		}
		return text.String()
	}
	v := versions{lock: before()}
	equal(t, "production's", v.texts(Request{Set: lock.ParseSet("python")}), map[string]string{
		"": pin("numpy 1.26.4", "sdist 1.0", "told 1.0"), "sdist": pin("numpy 1.26.4", "setuptools 70.0"), "told": pin("setuptools 70.0"),
	})
	equal(t, "a variant's", v.texts(Request{Set: lock.ParseSet("python@big")}), map[string]string{
		"": pin("numpy 1.26.4", "sdist 2.0"), "sdist": pin("numpy 1.26.4", "wheel 0.43"),
	})
	equal(t, "another variant's", v.texts(Request{Set: lock.ParseSet("python@other")}), map[string]string{})
	v.upgrade = Upgrade{Packages: []string{"numpy", "setuptools"}}
	equal(t, "without two", v.texts(Request{Set: lock.ParseSet("python")}), map[string]string{"": pin("sdist 1.0", "told 1.0")})
	v.upgrade = Upgrade{All: true}
	equal(t, "without all", v.texts(Request{Set: lock.ParseSet("python")}), map[string]string{})
}

func TestRefreshOnUpgrade(t *testing.T) {
	for _, tt := range []struct {
		upgrade Upgrade
		want    bool
	}{{Upgrade{}, false}, {Upgrade{All: true}, true}, {Upgrade{Packages: []string{"a"}}, true}} {
		if q := (Request{Set: lock.ParseSet("python")}).ask(pypi, inventory{}, versions{before(), tt.upgrade}); q.Refresh != tt.want {
			t.Errorf("%+v: refresh is %v", tt.upgrade, q.Refresh)
		}
	}
}

func TestKnownBuilds(t *testing.T) {
	sdist, sam := sumOf([]byte("sdist-1.0.tar.gz")), commitOf("sam").URL
	v := versions{lock: before()}
	// The earlier spec listed the build requirements of "told"; the current one doesn't.
	equal(t, "known", v.known(Request{Set: lock.ParseSet("python")}, pypi), []string{sdist, sam})
	equal(t, "a variant's", v.known(Request{Set: lock.ParseSet("python@big")}, pypi), []string{sumOf([]byte("sdist-2.0.tar.gz"))})
	equal(t, "told now", v.known(Request{Set: lock.ParseSet("python"), BuildRequires: map[string][]string{"sdist": {"cython"}}}, pypi), []string{sam})
	for _, upgrade := range []Upgrade{{All: true}, {Packages: []string{"six"}}} {
		if got := (versions{before(), upgrade}).known(Request{Set: lock.ParseSet("python")}, pypi); got != nil {
			t.Errorf("%+v: known are %q", upgrade, got)
		}
	}
	moved := before()
	for i := range moved.Distributions {
		moved.Distributions[i].Index = "https://then.example"
	}
	equal(t, "from an index that nobody names", (versions{lock: moved}).known(Request{Set: lock.ParseSet("python")}, pypi), []string{sam})
	old := before()
	old.UV = lock.UV{}
	if got := (versions{lock: old}).known(Request{Set: lock.ParseSet("python")}, pypi); got != nil {
		t.Errorf("of an earlier format: known are %q", got)
	}
	equal(t, "versions of an earlier format", (versions{lock: old}).texts(Request{Set: lock.ParseSet("python")}), v.texts(Request{Set: lock.ParseSet("python")}))
}

func TestDoorsAreOpenToWhatTheLockBeforeNamed(t *testing.T) {
	o := Options{Before: before(), Indexes: Indexes{Default: "https://pypi.example/simple", Further: []string{"https://f.example"}}, Project: directory(nil)}
	r := Request{
		Set: lock.ParseSet("python"), Indexes: []Index{{Name: "torch", URL: "https://torch.example", Packages: []string{"torch"}}},
		Files: reqfile.Set{ExtraIndexURLs: slices.Grow([]string{"https://x.example"}, 8), FindLinks: []string{"https://links.example/l", "wheels"}},
		Uses:  ProjectIndexes{Links: []string{"https://project.example/l"}},
	}
	got := o.doorOptions(r)
	slices.Sort(got.Known)
	equal(t, "known", slices.Compact(got.Known), []string{
		"https://files.example/numpy-1.26.4-cp311-none-any.whl", "https://files.example/sdist-1.0.tar.gz", "https://files.example/setuptools-70.0-py3-none-any.whl",
		"https://files.example/told-1.0.tar.gz", "https://g.example/sam",
	})
	var indexes []string
	for _, i := range got.Indexes {
		line := i.URL + " " + strings.Join(i.Packages, ",")
		if i.Flat {
			line += "flat"
		}
		indexes = append(indexes, strings.TrimSpace(line))
	}
	equal(t, "indexes", indexes, []string{"https://torch.example torch", "https://x.example", "https://f.example", "https://pypi.example/simple", "https://links.example/l flat", "https://project.example/l flat"})
	equal(t, "the request's own list", r.Files.ExtraIndexURLs[:2:2][:1], []string{"https://x.example"})
	if spare := r.Files.ExtraIndexURLs[:2][1]; spare != "" {
		t.Errorf("the list of the request was written to: %q", spare)
	}
}

// Without an earlier lock, uv requests pages again that a failed resolve left in its cache:
// their files may pass the door only after them.
func TestPagesAreAskedAnewWithoutALockBefore(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before versions
		want   bool
	}{
		{"no lock", versions{}, true},
		{"a lock", versions{lock: before()}, false},
		{"a lock of other sets", versions{lock: before()}, false},
		{"upgrade", versions{lock: before(), upgrade: Upgrade{All: true}}, true},
		{"upgrade of one", versions{lock: before(), upgrade: Upgrade{Packages: []string{"a"}}}, true},
	} {
		set := lock.ParseSet("python")
		if tt.name == "a lock of other sets" {
			set.Variant, tt.want = "nobody", true
		}
		if got := tt.before.asksAnew(set); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}

// A commit stays as long as the line that requires it. uv rejects a lock without packages.
func TestCommitsThatStay(t *testing.T) {
	sam, vit, ssh := commitOf("sam", "python"), commitOf("vit", "python"), commitOf("ssh", "python")
	vit.URL += "#subdirectory=py"
	with := func(ref, name, more string) string {
		return fmt.Sprintf("[[packages]]\nname = %q\nversion = \"1.0\"\nvcs = { type = \"git\", url = \"https://g.example/%s\", %scommit-id = \"0123456789012345678901234567890123456789\" }\n", name, name, ref+more)
	}
	const head = "lock-version = \"1.0\"\ncreated-by = \"lamina\"\n"
	for _, tt := range []struct{ line, before, want string }{
		{"sam @ git+https://g.example/sam@main", "sam @ git+https://g.example/sam@main", head + with("requested-revision = \"main\", ", "sam", "")},
		{"git+https://g.example/sam", "git+https://g.example/sam", head + with("", "sam", "")},
		{"ssh @ git+ssh://git@g.example/ssh@v1", "ssh @ git+ssh://git@g.example/ssh@v1", head + with("requested-revision = \"v1\", ", "ssh", "")},
		{"git+https://g.example/vit@main#subdirectory=py", "git+https://g.example/vit@main#subdirectory=py", head + with("requested-revision = \"main\", ", "vit", "")},
		{"git+https://g.example/vit@main", "git+https://g.example/vit@main", ""},
		{"sam @ git+https://g.example/sam@v2", "sam @ git+https://g.example/sam@main", ""},
	} {
		read := func(line string) reqfile.Set {
			return requirements(t, map[string]string{"requirements.txt": line + "\n"})
		}
		l := lock.Lock{Distributions: []lock.Distribution{sam, ssh, vit}}
		l.Python = []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: Request{Files: read(tt.before)}.Lines()}}
		equal(t, tt.line, (versions{lock: l}).texts(Request{Set: lock.ParseSet("python"), Files: read(tt.line)})[""], tt.want)
	}
}

func TestUpgradesAreOfNormalNames(t *testing.T) {
	up := Upgrade{Packages: []string{"Flash_Attn", "torch"}}
	equal(t, "upgrade", up.normal(), Upgrade{Packages: []string{"flash-attn", "torch"}})
}
