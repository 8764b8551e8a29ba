package resolve_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// at returns a distribution of a lock, or a new one.
func at(l *lock.Lock, name string) *lock.Distribution {
	i := slices.IndexFunc(l.Distributions, func(d lock.Distribution) bool { return d.Name == name })
	if i < 0 {
		i = len(l.Distributions)
		l.Distributions = append(l.Distributions, lock.Distribution{Name: name, Size: 7, For: []lock.Set{{Kind: lock.SetPython}}})
	}
	return &l.Distributions[i]
}

// pypi makes d a wheel on PyPI.
func pypi(d *lock.Distribution, version string) {
	d.Version, d.File, d.Index = version, d.Name+"-"+version+"-py3-none-any.whl", uv.DefaultIndex
	d.URL, d.SHA256 = files+d.File, sum(d.File)
}

func without(l *lock.Lock, name string) {
	l.Distributions = slices.DeleteFunc(l.Distributions, func(d lock.Distribution) bool { return d.Name == name })
}

func deb(l *lock.Lock, name string) *lock.Package {
	return &l.Packages[slices.IndexFunc(l.Packages, func(p lock.Package) bool { return p.Name == name })]
}

// Changes that an attacker would make are reported.
func TestALieIsTold(t *testing.T) {
	for want, lie := range map[string]func(*lock.Lock){
		"python: requirements.txt:1: numpy>=1.26,<2 is required, but numpy 2.1 is locked":    func(l *lock.Lock) { pypi(at(l, "numpy"), "2.1") },
		"python: requirements.txt:1: numpy>=1.26,<2 is not locked":                           func(l *lock.Lock) { without(l, "numpy") },
		"which matches none of the --hash options of its line":                               func(l *lock.Lock) { at(l, "numpy").SHA256 = sum("evil") },
		`python: requirements.txt:2: torch~=2.6 ; sys_platform == "linux" is not locked`:     func(l *lock.Lock) { without(l, "torch") },
		"python: constraints.txt:1: urllib3<3 is required, but urllib3 3.1 is locked":        func(l *lock.Lock) { pypi(at(l, "urllib3"), "3.1") },
		"python: overrides: idna==3.7 is required, but idna 2.0 is locked":                   func(l *lock.Lock) { pypi(at(l, "idna"), "2.0") },
		"python: unwanted 1.0: the spec excludes it":                                         func(l *lock.Lock) { pypi(at(l, "unwanted"), "1.0") },
		"python: build-requires insightface: cython<3 is required, but cython 3.0 is locked": func(l *lock.Lock) { pypi(at(l, "cython"), "3.0") },
		"python: build-requires insightface: cython<3 is not locked":                         func(l *lock.Lock) { without(l, "cython") },
		"python: the lock leaves out numpy, which is not optional":                           func(l *lock.Lock) { l.Omitted[0].Requirement = "numpy" },
		"python: requirements.txt:8: flash-attn is not locked":                               func(l *lock.Lock) { l.Omitted = nil },
		"asked for: urllib3 2.1 from https://evil.example/simple":                            func(l *lock.Lock) { at(l, "urllib3").Index = "https://evil.example/simple" },
		"asked for: torch 2.6.0 from https://pypi.org/simple":                                func(l *lock.Lock) { pypi(at(l, "torch"), "2.6.0") },
		"urllib3 2.1: PyPI has no such file at https://evil.example/":                        func(l *lock.Lock) { d := at(l, "urllib3"); d.URL = "https://evil.example/" + d.File },
		"urllib3 2.1: PyPI has no such file at https://files.pythonhosted.org/packages/e":    func(l *lock.Lock) { at(l, "urllib3").URL = files + "evil-2.1-py3-none-any.whl" },
		"urllib3 2.1: PyPI has no such file at http://":                                      func(l *lock.Lock) { d := at(l, "urllib3"); d.URL = strings.Replace(d.URL, "https", "http", 1) },
		`urllib3 2.1: "evil-2.1-py3-none-any.whl" is not a file of it`: func(l *lock.Lock) {
			d := at(l, "urllib3")
			d.File = "evil-2.1-py3-none-any.whl"
			d.URL = files + d.File
		},
		`urllib3 2.0: "urllib3-2.1-py3-none-any.whl" is not a file of it`: func(l *lock.Lock) { at(l, "urllib3").Version = "2.0" },
		`insightface 0.7.3: "evil-0.7.3.tar.gz" is not a file of it`:      func(l *lock.Lock) { d := at(l, "insightface"); d.File = "evil-0.7.3.tar.gz"; d.URL = files + d.File },
		"urllib3 2.1: no requirement names https://evil.example/u":        func(l *lock.Lock) { d := at(l, "urllib3"); d.URL, d.Index = "https://evil.example/"+d.File, "" },
		"urllib3 2.1: no requirement names the file image.toml":           func(l *lock.Lock) { d := at(l, "urllib3"); d.URL, d.Index = "file:image.toml", "" },
		"sam2 1.0: no requirement names the host of https://evil.example/sam2": func(l *lock.Lock) {
			d := at(l, "sam2")
			d.URL = strings.Replace(d.URL, "git.example", "evil.example", 1)
		},
		"is required, but sam2 1.0 is locked from git+https://git.example/evil@":     func(l *lock.Lock) { d := at(l, "sam2"); d.URL = strings.Replace(d.URL, "/sam2", "/evil", 1) },
		"is required, but sam2 1.0 is locked from git+https://git.example/sam2@1123": func(l *lock.Lock) { d := at(l, "sam2"); d.URL = strings.Replace(d.URL, "@0", "@1", 1) },
		"is required, but direct 1.0 is locked from https://files.pythonhosted.org":  func(l *lock.Lock) { pypi(at(l, "direct"), "1.0") },
		"is required, but own 1.0 is locked from https://files.pythonhosted.org":     func(l *lock.Lock) { pypi(at(l, "own"), "1.0") },
		"uv: the lock has uv-0.13.9":                                                            func(l *lock.Lock) { l.UV.SHA256 = sum("evil") },
		"package curl 1:3.11.2-1+b1: the spec has no repository \"evil\"":                       func(l *lock.Lock) { deb(l, "curl").Repository = "evil" },
		`package curl 1:3.11.2-1+b1: path "pool/updates/main/t/telnetd_1_amd64.deb" belongs to`: func(l *lock.Lock) { deb(l, "curl").Path = "pool/updates/main/t/telnetd_1_amd64.deb" },
		`package curl 1:2: path`:                                                                func(l *lock.Lock) { deb(l, "curl").Version = "1:2" },
		"is in no component of the spec":                                                        func(l *lock.Lock) { p := deb(l, "g++"); p.Path = strings.Replace(p.Path, "/main/", "/non-free/", 1) },
		"package curl 1:3.11.2-1+b1: it is for arm64; the image is for amd64":                   func(l *lock.Lock) { deb(l, "curl").Architecture = "arm64" },
		"runtime: curl is not locked":                                                           func(l *lock.Lock) { deb(l, "curl").For = []lock.Set{{Kind: lock.SetBuilder}} },
		"extra@debug: gdb is not locked":                                                        func(l *lock.Lock) { deb(l, "gdb").For = []lock.Set{{Kind: lock.SetBuilder}} },
		"suites: the lock has no index of cuda ./": func(l *lock.Lock) {
			l.Releases = slices.DeleteFunc(l.Releases, func(r lock.Release) bool { return r.Repository == "cuda" })
		},
		"suites: the spec has no index of evil ./": func(l *lock.Lock) {
			l.Releases = append(l.Releases, lock.Release{Repository: "evil", Suite: "./", SHA256: sum("")})
		},
		"unexpected commit 1123456789012345678901234567890123456789": func(l *lock.Lock) { l.Models[0].Commit = "1" + commit[1:] },
		`the spec doesn't select file "old.bin"`: func(l *lock.Lock) {
			files := l.Models[0].Files
			l.Models[0].Files = append(slices.Clone(files), lock.ModelFile{Path: "old.bin", SHA256: sum("")})
			l.Models[0].Digest = weights.Digest(l.Models[0]).String()
		},
		"differs from that of its files": func(l *lock.Lock) { l.Models[0].Files[0].SHA256 = sum("evil") },
		`file "a.bin" has URL https://evil.example/a.bin; its list has https://weights.example/all/a.bin`: func(l *lock.Lock) {
			l.Models[1].Files[0].URL = "https://evil.example/a.bin"
		},
		`rename "b.bin": no such file among those selected`: func(l *lock.Lock) {
			l.Models[0].Files = l.Models[0].Files[:1]
			l.Models[0].Digest = weights.Digest(l.Models[0]).String()
		},
	} {
		p, l := claimed(t)
		l = clone(l)
		lie(&l)
		if found := strings.Join(drift(t, p, l), "\n"); !strings.Contains(found, want) {
			t.Errorf("want %q, got\n%s", want, found)
		}
	}
}

// uv builds source trees even if nothing from an index is locked.
func TestAUVOfALie(t *testing.T) {
	p, l := claimed(t)
	l.Distributions = nil
	l.UV.SHA256 = sum("evil")
	if found := strings.Join(drift(t, p, l), "\n"); !strings.Contains(found, "uv: the lock has uv-0.13.9") {
		t.Errorf("got\n%s", found)
	}
}

// These differences are legitimate.
func TestATruthIsNoLie(t *testing.T) {
	for name, change := range map[string]func(*lock.Lock){
		"a file of PyPI that a requirement wants no version of": func(l *lock.Lock) { pypi(at(l, "more"), "9") },
		"a wheel that got a local version":                      func(l *lock.Lock) { at(l, "torch").Version = "2.6.0+cu124" },
		"uv from a mirror":                                      func(l *lock.Lock) { l.UV.URL = "https://mirror.example/uv.whl" },
		"a package that was never asked for on this platform": func(l *lock.Lock) {
			l.Distributions = slices.DeleteFunc(l.Distributions, func(d lock.Distribution) bool { return d.Name == "pywin32" })
		},
		"a repository without its suffix": func(l *lock.Lock) { d := at(l, "sam2"); d.URL = strings.Replace(d.URL, "/sam2@", "/sam2.git@", 1) },
	} {
		p, l := claimed(t)
		l = clone(l)
		change(&l)
		if found := drift(t, p, l); len(found) > 0 {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// A lock that was made with a mirror is trusted if the user names the mirror.
func TestAnIndexOfTheEnvironmentIsNamed(t *testing.T) {
	p, l := claimed(t)
	d := at(&l, "urllib3")
	d.Index = "https://mirror.example/simple"
	d.URL = "https://mirror.example/" + d.File
	if found := drift(t, p, l); len(found) != 1 {
		t.Errorf("got %q", found)
	}
	p.Env = func(name string) string {
		return map[string]string{"UV_INDEX": "https://mirror.example/simple/"}[name]
	}
	if found := drift(t, p, l); len(found) > 0 {
		t.Errorf("where the environment names it: %q", found)
	}
}

// Locks are checked against uv.lock, pylock.toml and pyproject.toml, too.
func TestLocksOfOthersAreHeldAgainst(t *testing.T) {
	const head = "name = \"x\"\n[debian]\npackages = [\"python3\"]\n[python]\n"
	good := sum("a-1.0-py3-none-any.whl")
	for name, tt := range map[string]struct {
		spec  string
		files map[string]string
	}{
		"uv.lock": {"project = \".\"\nextras = [\"more\"]\n", map[string]string{
			"pyproject.toml": "[project]\nname = \"p\"\nversion = \"1\"\ndependencies = [\"a<2\", \"gone; os_name == 'nt'\"]\n[project.optional-dependencies]\nMore = [\"b\"]\n",
			"uv.lock": fmt.Sprintf("version = 1\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nwheels = [{ url = \"x\", hash = \"sha256:%s\" }]\n"+
				"[[package]]\nname = \"b\"\nversion = \"1.0\"\nwheels = [{ url = \"x\", hash = \"sha256:%s\" }]\n", good, sum("b-1.0-py3-none-any.whl")),
		}},
		"pylock.toml": {"lock = \"pylock.toml\"\n", map[string]string{
			"pylock.toml": fmt.Sprintf("lock-version = \"1.0\"\n[[packages]]\nname = \"A\"\nversion = \"1.0\"\nwheels = [{ url = \"https://h.example/x\", hashes = { sha256 = %q } }]\n"+
				"[[packages]]\nname = \"b\"\nwheels = [{ url = \"https://h.example/x\", hashes = { sha256 = %q } }]\n", good, sum("b-1.0-py3-none-any.whl")),
		}},
	} {
		root := fstest.MapFS{}
		for file, text := range tt.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		p := project(t, head+tt.spec, root)
		l := claimedLock(t, p.Requirements.Lock)
		l.Distributions, l.Omitted, l.Releases, l.Models = nil, nil, l.Releases[:0], nil
		for _, suite := range p.Requirements.Lock.Suites {
			repository := "debian"
			if strings.HasSuffix(suite, "-security") {
				repository = "debian-security"
			}
			l.Releases = append(l.Releases, lock.Release{Repository: repository, Suite: suite, SHA256: sum("")})
		}
		for i := range l.Packages {
			if p := &l.Packages[i]; p.Name == "curl" || p.Name == "gdb" {
				p.Repository, p.Path = "debian", fmt.Sprintf("pool/main/x/%s_3.11.2-1+b1_amd64.deb", p.Name)
			}
		}
		pypi(at(&l, "a"), "1.0")
		pypi(at(&l, "b"), "1.0")
		l = clone(l)
		if found := drift(t, p, l); len(found) > 0 {
			t.Errorf("%s: %q", name, found)
		}
		for want, lie := range map[string]func(*lock.Lock){
			"a 1.0: " + name + " has no such file for it": func(l *lock.Lock) { at(l, "a").SHA256 = sum("evil") },
			"a 1.5: " + name + " has no such file for it": func(l *lock.Lock) { pypi(at(l, "a"), "1.5") },
			"c 1.0: " + name + " has no such file for it": func(l *lock.Lock) { pypi(at(l, "c"), "1.0") },
			"pyproject.toml: b is not locked":             func(l *lock.Lock) { without(l, "b") },
			"pyproject.toml: a<2 is required":             func(l *lock.Lock) { pypi(at(l, "a"), "2.5") },
		} {
			if strings.HasPrefix(want, "pyproject") && name != "uv.lock" {
				continue
			}
			lied := clone(l)
			lie(&lied)
			if found := strings.Join(drift(t, p, lied), "\n"); !strings.Contains(found, want) {
				t.Errorf("%s: want %q, got\n%s", name, want, found)
			}
		}
	}
}

// Options of requirement files apply to each distribution.
func TestOptionsHold(t *testing.T) {
	for line, want := range map[string]string{
		"--require-hashes":                             "urllib3 2.1: --require-hashes requires a --hash",
		"--only-binary :all:":                          "insightface 0.7.3: it is not a wheel, and --only-binary requires one",
		"--only-binary insightface":                    "insightface 0.7.3: it is not a wheel, and --only-binary requires one",
		"--no-binary urllib3":                          "urllib3 2.1: it is a wheel, and --no-binary forbids one",
		"--index-url https://i.example":                "asked for: urllib3 2.1 from https://pypi.org/simple",
		"--no-index":                                   "asked for: urllib3 2.1 from https://pypi.org/simple",
		"--extra-index-url https://i.example":          "",
		"--only-binary :all:\n--no-binary insightface": "",
	} {
		p, l := claimed(t)
		root := p.Root.(fstest.MapFS)
		root["requirements.txt"].Data = append([]byte(line+"\n"), root["requirements.txt"].Data...)
		p = project(t, claimSpec, root)
		l.Requirements = p.Requirements.Lock
		found := strings.Join(drift(t, p, l), "\n")
		if want == "" && found != "" || !strings.Contains(found, want) {
			t.Errorf("%s: want %q, got\n%s", line, want, found)
		}
	}
}
