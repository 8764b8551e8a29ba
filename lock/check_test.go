package lock_test

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

func TestParseRefusesWhatNoResolverOfPackagesWrites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*lock.Lock)
		message string
	}{
		{"a release without a hash", func(l *lock.Lock) { l.Releases[0].SHA256 = "" }, `image.lock: release debian bookworm: "" is not a sha256`},
		{"a name with a path", func(l *lock.Lock) { l.Packages[0].Name = "../a" }, "is not valid in Debian"},
		{"no name", func(l *lock.Lock) { l.Packages[0].Name = "" }, "package  3.134: name, version and arch must be given"},
		{"no version", func(l *lock.Lock) { l.Packages[0].Version = "" }, "package adduser : name, version and arch must be given"},
		{"no architecture", func(l *lock.Lock) { l.Packages[0].Architecture = "" }, "name, version and arch must be given"},
		{"a short hash", func(l *lock.Lock) { l.Packages[0].SHA256 = hash("")[1:] }, "is not a sha256"},
		{"a hash in capitals", func(l *lock.Lock) { l.Packages[0].SHA256 = strings.ToUpper(hash("")) }, "is not a sha256"},
		{"no size", func(l *lock.Lock) { l.Packages[0].Size = 0 }, "package adduser 3.134: size 0 is not positive"},
		{"an absolute path", func(l *lock.Lock) { l.Packages[0].Path = "/x.deb" }, `path "/x.deb" does not stay below the repository`},
		{"a path that is not clean", func(l *lock.Lock) { l.Packages[0].Path = "pool//x.deb" }, `path "pool//x.deb" does not stay below the repository`},
		{"a path that is the repository", func(l *lock.Lock) { l.Packages[0].Path = "." }, `path "." does not stay below the repository`},
		{"no set", func(l *lock.Lock) { l.Packages[0].For = nil }, "package adduser 3.134: it is in no set"},
		{"a variant that was not requested", func(l *lock.Lock) { l.Packages[0].For = setsOf([]string{"runtime@x"}) }, `set "runtime@x" was not requested`},
		{"a set of distributions", func(l *lock.Lock) { l.Packages[0].For = setsOf([]string{"python"}) }, `set "python" was not requested`},
		{"a request for an unknown set", func(l *lock.Lock) { l.Requests[0].Set = lock.ParseSet("nobody") }, `requests of packages: there is no set "nobody"`},
		{"a request for distributions", func(l *lock.Lock) { l.Requests[0].Set = lock.ParseSet("python") }, `requests of packages: there is no set "python"`},
		{"a request for no set", func(l *lock.Lock) { l.Requests[0].Set = lock.Set{} }, `requests of packages: there is no set ""`},
		{"a request of half a variant", func(l *lock.Lock) { l.Requests[0].Set = lock.ParseSet("base@") }, `requests of packages: there is no set "base@"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", []byte(forged(tt.change)))
			if err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
		})
	}
}

// All problems are reported at once, in the order of the lock.
func TestParseTellsAllProblemsAtOnce(t *testing.T) {
	l := withModels(func(m *lock.Model) { m.Plan = 0 })
	l.Models[0], l.Models[1] = l.Models[1], l.Models[0]
	l.Packages[0].Size, l.Packages[0].SHA256 = 0, ""
	l.Distributions[0].Index = "ftp://x"
	l.UV.URL = "x"
	_, err := lock.Parse("image.lock", l.Format())
	want := `image.lock: package adduser 3.134: "" is not a sha256
size 0 is not positive
distribution cython 1.0: url "ftp://x" is neither http nor https
model hf://Wan-AI/Wan2.2-Animate-14B@main: plan 0 is not positive
models are not sorted
url "x" is neither http nor https`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParseRefusesWhatNoResolverOfPythonWrites(t *testing.T) {
	at := func(l *lock.Lock, name string) *lock.Distribution {
		for i, d := range l.Distributions {
			if d.Name == name {
				return &l.Distributions[i]
			}
		}
		t.Fatalf("no distribution %s", name)
		return nil
	}
	tests := []struct {
		name    string
		change  func(*lock.Lock)
		message string
	}{
		{"a name that is not normalised", func(l *lock.Lock) { at(l, "torch").Name = "Torch" }, "distribution Torch 1.0: name must be normalised"},
		{"a file with directories", func(l *lock.Lock) { at(l, "cython").File = "../x.whl" }, `file "../x.whl" is not a file's name`},
		{"an sdist with directories", func(l *lock.Lock) { at(l, "insightface").File = "a/x.zip" }, `file "a/x.zip" is not a file's name`},
		{"an sdist of no name", func(l *lock.Lock) { at(l, "insightface").File = "" }, `file "" is not a file's name`},
		{"an sdist that is an option", func(l *lock.Lock) { at(l, "insightface").File = "-x.zip" }, `file "-x.zip" is not a file's name`},
		{"an sdist that turns its letters", func(l *lock.Lock) { at(l, "insightface").File = "x\u202epiz" }, `is not a file's name`},
		{"a wheel of an odd name", func(l *lock.Lock) { at(l, "cython").File = "cython@1.whl" }, `file "cython@1.whl" is not a file's name`},
		{"wheels that fill any disk", func(l *lock.Lock) { at(l, "cython").Unpacked, at(l, "torch").Unpacked = 1<<62, 1<<62 }, "its sizes add up to more than a petabyte"},
		{"a wheel and a package", func(l *lock.Lock) { at(l, "cython").Size, l.Packages[0].Size = 1<<49, 1<<49 }, "its sizes add up to more than a petabyte"},
		{"a uv that does", func(l *lock.Lock) { l.UV.Size = 1 << 50 }, "its sizes add up to more than a petabyte"},
		{"no hash", func(l *lock.Lock) { at(l, "cython").SHA256 = "" }, `distribution cython 1.0: "" is not a sha256`},
		{"no size", func(l *lock.Lock) { at(l, "cython").Size = 0 }, "distribution cython 1.0: size 0 or unpacked 99 is not positive"},
		{"a login", func(l *lock.Lock) { at(l, "cython").URL = "https://me:secret@x.example/a" }, `url "https://me:xxxxx@x.example/a" holds a login`},
		{"another scheme", func(l *lock.Lock) { at(l, "cython").URL = "ftp://x.example/a" }, `url "ftp://x.example/a" is neither http nor https`},
		{"a file that fills the memory", func(l *lock.Lock) { at(l, "own").Size = 1 << 40 }, "is more than a file next to the spec may have"},
		{"a path that escapes", func(l *lock.Lock) { at(l, "own").URL = "file:../own.whl" }, `"file:../own.whl" does not stay next to the spec`},
		{"a branch", func(l *lock.Lock) { at(l, "sam2").URL = "git+https://git.example/sam2@main" }, `"git+https://git.example/sam2@main" names no commit`},
		{"a subdirectory that escapes", func(l *lock.Lock) { at(l, "sam2").URL += "/../.." }, `subdirectory "py/../.." does not stay in its tree`},
		{"a subdirectory that escapes its archive", func(l *lock.Lock) { at(l, "insightface").URL += "#subdirectory=../x" }, `subdirectory "../x" does not stay in its archive`},
		{"a subdirectory of a wheel", func(l *lock.Lock) { at(l, "cython").URL += "#subdirectory=x" }, `subdirectory "x" does not stay in its archive`},
		{"an index with a login", func(l *lock.Lock) { at(l, "cython").Index = "https://me:secret@x.example/simple" }, `url "https://me:xxxxx@x.example/simple" holds a login`},
		{"a top-level name that is a path", func(l *lock.Lock) { at(l, "own").Top = []string{"../own"} }, `top-level name "../own" is invalid`},
		{"no uv", func(l *lock.Lock) { l.UV = lock.UV{} }, `uv: version "", file ""`},
		{"another uv", func(l *lock.Lock) { l.UV.SHA256 = "0" }, `sha256 "0" is invalid`},
		{"a uv of another scheme", func(l *lock.Lock) { l.UV.URL = "ftp://x.example/uv.whl" }, `url "ftp://x.example/uv.whl" is neither http nor https`},
		{"a set that was not requested", func(l *lock.Lock) { at(l, "cython").For = []lock.Set{lock.ParseSet("python@nobody")} }, `set "python@nobody" was not requested`},
		{"a build with an sdist", func(l *lock.Lock) {
			at(l, "insightface").For = []lock.Set{lock.ParseSet("python"), lock.ParseSet("build:insightface")}
		}, `set "build:insightface" of build requirements has a file that must be built itself`},
		{"two versions", func(l *lock.Lock) { l.Distributions[len(l.Distributions)-1].For = []lock.Set{lock.ParseSet("python")} }, `distribution torch: set "python" holds it twice`},
		{"no version", func(l *lock.Lock) { at(l, "cython").Version = "" }, "distribution cython : name must be normalised and version must be given"},
		{"a hash in capitals", func(l *lock.Lock) { at(l, "cython").SHA256 = strings.Repeat("A", 64) }, `AA" is not a sha256`},
		{"a wheel of less than nothing", func(l *lock.Lock) { at(l, "cython").Unpacked = -1 }, "size 77 or unpacked -1 is not positive"},
		{"a git tree that is a file", func(l *lock.Lock) { at(l, "sam2").File = "sam2.zip" }, "names no commit, or is a file as well"},
		{"a git tree with a hash", func(l *lock.Lock) { at(l, "sam2").SHA256 = hash("") }, "names no commit, or is a file as well"},
		{"a git tree with a size", func(l *lock.Lock) { at(l, "sam2").Size = 1 }, "names no commit, or is a file as well"},
		{"a git tree with a login", func(l *lock.Lock) {
			at(l, "sam2").URL = "git+https://me:secret@git.example/sam2@" + strings.Repeat("0", 40)
		}, "holds a login"},
		{"a git tree by ssh", func(l *lock.Lock) { at(l, "sam2").URL = "git+ssh://git.example/sam2@" + strings.Repeat("0", 40) }, "is neither http nor https"},
		{"an address without a host", func(l *lock.Lock) { at(l, "cython").URL = "https:///a" }, `url "https:///a" is neither http nor https`},
		{"a top-level name in a directory", func(l *lock.Lock) { at(l, "own").Top = []string{"own/sub"} }, `top-level name "own/sub" is invalid`},
		{"a set of nothing", func(l *lock.Lock) { at(l, "cython").For = nil }, "distribution cython 1.0: it is in no set"},
		{"a set of packages", func(l *lock.Lock) { at(l, "cython").For = setsOf([]string{"runtime"}) }, `set "runtime" was not requested`},
		{"a build for an unrequested variant", func(l *lock.Lock) { at(l, "cython").For = setsOf([]string{"build:x@nobody"}) }, `set "build:x@nobody" was not requested`},
		{"a request for a build", func(l *lock.Lock) { l.Python[0].Set = lock.ParseSet("build:x") }, `requests of distributions: there is no set "build:x"`},
		{"a uv of no version", func(l *lock.Lock) { l.UV.Version = "" }, `uv: version "", file "uv-`},
		{"a uv of no size", func(l *lock.Lock) { l.UV.Size = 0 }, "size 0 or sha256"},
		{"a uv in a directory", func(l *lock.Lock) { l.UV.File = "a/uv.whl" }, `file "a/uv.whl"`},
		{"another order", func(l *lock.Lock) {
			l.Distributions[0], l.Distributions[1] = l.Distributions[1], l.Distributions[0]
		}, "distributions are not sorted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", []byte(forged(tt.change)))
			if err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestParseRefusesWhatNoResolverOfModelsWrites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*lock.Model)
		message string
	}{
		{"a branch for a commit", func(m *lock.Model) { m.Commit = "main" }, `"main" is not a commit`},
		{"a relative path", func(m *lock.Model) { m.Path = "models" }, `path "models" is not absolute and clean`},
		{"no digest", func(m *lock.Model) { m.Digest = "" }, `"" is not a digest`},
		{"files and layers that fill any disk", func(m *lock.Model) { m.Files[0].Size, m.Layers[0].Size = 1<<62, 1<<62 }, "its sizes add up to more than a petabyte"},
		{"no plan", func(m *lock.Model) { m.Plan = 0 }, "plan 0 is not positive"},
		{"no files", func(m *lock.Model) { m.Files = nil }, "it has no files"},
		{"published without a digest", func(m *lock.Model) { m.Published = "registry.example/wan:1" }, "has no digest"},
		{"a file that escapes", func(m *lock.Model) { m.Files[0].Path = "../x" }, `file "../x" does not stay in the model`},
		{"a file with a wrong hash", func(m *lock.Model) { m.Files[0].SHA256 = "x" }, `"x" is not a sha256`},
		{"a file twice", func(m *lock.Model) { m.Files[0].Path = m.Files[1].Path }, "is listed twice"},
		{"a path that is not clean", func(m *lock.Model) { m.Path = "/models/../wan" }, `path "/models/../wan" is not absolute and clean`},
		{"a short digest", func(m *lock.Model) { m.Digest = "sha256:abc" }, `"sha256:abc" is not a digest`},
		{"published by another digest", func(m *lock.Model) { m.Published = "registry.example/wan@sha256:abc" }, "has no digest"},
		{"a file that removes others", func(m *lock.Model) { m.Files[0].Path = "a/.wh..wh..opq" }, `file "a/.wh..wh..opq": names with .wh. in front remove`},
		{"a file in a directory that does", func(m *lock.Model) { m.Files[0].Path = ".wh.a/x" }, `file ".wh.a/x": names with .wh. in front remove`},
		{"a file that is the directory", func(m *lock.Model) { m.Files[0].Path = "." }, `file "." does not stay in the model`},
		{"a file of a terminated name", func(m *lock.Model) { m.Files[0].Path = "a\x00" }, "does not stay in the model"},
		{"a file of less than nothing", func(m *lock.Model) { m.Files[0].Size = -1 }, `file "a b.bin": size -1 is negative`},
		{"published without layers", func(m *lock.Model) { m.Layers = nil }, "but it has no layers"},
		{"a layer without a digest", func(m *lock.Model) { m.Layers[1].Digest = "" }, `layer 2: "" is not a digest`},
		{"a layer of another hash", func(m *lock.Model) { m.Layers[0].Digest = digest.Digest("sha512:" + strings.Repeat("0", 128)) }, "is not a digest"},
		{"a compressed layer", func(m *lock.Model) { m.Layers[0].DiffID = m.Layers[1].DiffID }, "as if it were compressed"},
		{"a layer of no bytes", func(m *lock.Model) { m.Layers[0].Size = 0 }, "layer 1: size 0 is not positive"},
		{"more layers than files", func(m *lock.Model) { m.Layers = append(m.Layers, m.Layers...) }, "4 layers for 2 files"},
		{"layers with no room for the files", func(m *lock.Model) { m.Layers = m.Layers[:1] }, "layers of 2560 bytes for files of 11361920418"},
		{"an address for a file of the hub", func(m *lock.Model) { m.Files[0].URL = "https://h.example/x" }, "only files of the hub have no url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", withModels(tt.change).Format())
			if err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
		})
	}
}

// Archives may have almost any name.
func TestNamesOfArchives(t *testing.T) {
	for _, name := range []string{"pkg@1.0.zip", "my pkg (2).tar.gz", "_x.zip", "größe~1.zip", "a=b,c.zip", "x%20y.zip"} {
		if !lock.IsFileName(name) {
			t.Errorf("a lock can't have %q", name)
		}
	}
}
