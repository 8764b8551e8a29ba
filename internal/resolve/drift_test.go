package resolve_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"lamina.build/internal/resolve"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/weights"
	"lamina.build/lock"
	"lamina.build/spec"
)

const (
	commit = "0123456789012345678901234567890123456789"
	files  = "https://files.pythonhosted.org/packages/"
)

const claimSpec = `name = "x"
[debian]
suites = ["bookworm", "bookworm-security"]
packages = ["python3", "curl"]
[[debian.repository]]
name = "cuda"
url = "https://cuda.example/debian12"
suite = "./"
key = "cuda.asc"
[builder]
packages = ["g++"]
[python]
requirements = ["requirements.txt"]
constraints = ["constraints.txt"]
overrides = ["idna==3.7"]
excludes = ["unwanted"]
optional = ["flash-attn"]
[[python.index]]
name = "torch"
url = "https://wheels.example/cu124"
packages = ["torch"]
[python.build-requires]
insightface = ["cython<3"]
[[model]]
name = "a"
from = "hf://Org/Name@` + commit + `"
path = "/models/a"
include = ["*.bin"]
exclude = ["old.bin"]
rename = { "b.bin" = "c.bin" }
[[model]]
name = "list"
from = "https://weights.example/all/SHA256SUMS"
path = "/models/list"
`

const claimRequirements = `numpy>=1.26,<2 --hash=sha256:%s
torch~=2.6 ; sys_platform == "linux"
pywin32 ; sys_platform == "win32"
insightface==0.7.3
sam2 @ git+https://git.example/sam2@` + commit + `#subdirectory=py
direct @ https://direct.example/direct-1.0-py3-none-any.whl
./wheels/own-1.0-py3-none-any.whl
flash-attn
idna<3
`

func sum(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// claimed is a project with the lock that it might have.
func claimed(t *testing.T) (resolve.Project, lock.Lock) {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range map[string]string{
		"cuda.asc": "key", "constraints.txt": "urllib3<3", "wheels/own-1.0-py3-none-any.whl": "",
		"requirements.txt": fmt.Sprintf(claimRequirements, sum("numpy-1.26.4-py3-none-any.whl")),
	} {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return project(t, claimSpec, root), claimedLock(t, project(t, claimSpec, root).Requirements.Lock)
}

func project(t *testing.T, text string, root fs.FS) resolve.Project {
	t.Helper()
	file, err := spec.Parse("image.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w, err := requirements.Read(file, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolve.Project{File: file, Requirements: w, Root: root, Env: func(string) string { return "" }}
}

// claimedLock has what each request names, and a little that this needs.
func claimedLock(t *testing.T, w lock.Requirements) lock.Lock {
	t.Helper()
	l := lock.Lock{Requirements: w}
	for _, r := range [][2]string{{"debian", "bookworm"}, {"debian-security", "bookworm-security"}, {"cuda", "./"}} {
		l.Releases = append(l.Releases, lock.Release{Repository: r[0], Suite: r[1], Date: time.Unix(1e9, 0), SHA256: sum(r[1]), Signers: []string{"AB"}})
	}
	sets := map[string][]lock.Set{}
	for _, r := range w.Requests {
		for _, name := range r.Packages {
			sets[strings.Replace(name, "?essential", "libc6", 1)] = append(sets[strings.Replace(name, "?essential", "libc6", 1)], r.Set)
		}
	}
	sets["python3.11"] = sets["python3"]
	for name, in := range sets {
		p := lock.Package{Name: name, Version: "1:3.11.2-1+b1", Architecture: "amd64", Repository: "debian", Size: 7, SHA256: sum(name), For: in}
		p.Path = fmt.Sprintf("pool/main/%s/%s/%s_3.11.2-1+b1_amd64.deb", name[:1], name, name)
		switch name {
		case "curl":
			p.Repository, p.Path = "debian-security", strings.Replace(p.Path, "pool/", "pool/updates/", 1)
		case "gdb":
			p.Repository, p.Path = "cuda", "./gdb-of-cuda.deb"[2:]
		case "python3":
			p.Version = "3.11.2-1+b1"
		case "python3.11":
			p.Version, p.Path = "3.11.2-6", strings.Replace(p.Path, "-1+b1", "-6", 1)
		}
		l.Packages = append(l.Packages, p)
	}
	python, build := []lock.Set{{Kind: lock.SetPython}}, []lock.Set{{Kind: lock.SetBuild, Project: "insightface"}}
	add := func(name, version, file, url, index string, in []lock.Set) {
		d := lock.Distribution{Name: name, Version: version, File: file, URL: url, Index: index, For: in}
		if file != "" {
			d.Size, d.SHA256 = 7, sum(file)
		}
		if strings.HasSuffix(file, ".whl") {
			d.Unpacked, d.Top = 9, []string{name}
		}
		l.Distributions = append(l.Distributions, d)
	}
	const pypi = "https://pypi.org/simple"
	wheel := func(name, version string, in []lock.Set) {
		file := name + "-" + version + "-py3-none-any.whl"
		add(name, version, file, files+file, pypi, in)
	}
	wheel("numpy", "1.26.4", python)
	wheel("urllib3", "2.1", python) // of another one
	wheel("idna", "3.7", python)
	wheel("cython", "0.29", build)
	add("torch", "2.6.0", "torch-2.6.0+cu124-cp311-cp311-linux_x86_64.whl", "https://wheels.example/cu124/torch-2.6.0%2Bcu124-cp311-cp311-linux_x86_64.whl", "https://wheels.example/cu124", python)
	add("insightface", "0.7.3", "insightface-0.7.3.tar.gz", files+"insightface-0.7.3.tar.gz", pypi, python)
	add("sam2", "1.0", "", "git+https://git.example/sam2@"+commit+"#subdirectory=py", "", python)
	add("direct", "1.0", "direct-1.0-py3-none-any.whl", "https://direct.example/direct-1.0-py3-none-any.whl", "", python)
	add("own", "1.0", "own-1.0-py3-none-any.whl", "file:wheels/own-1.0-py3-none-any.whl", "", python)
	l.UV = lock.UV{
		Version: "0.13.9", File: "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl", Size: 19295638, URL: files + "uv.whl",
		SHA256: "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
	}
	l.Omitted = []lock.Omission{{Set: python[0], Requirement: "flash-attn", Reason: "no version fits"}}
	for _, r := range w.ModelRequests {
		m := lock.Model{ModelRequest: r, Plan: lock.ModelPlan, Files: []lock.ModelFile{
			{Path: "a.bin", Size: 1, SHA256: sum("a.bin")}, {Path: "b.bin", Size: 2, SHA256: sum("b.bin")},
		}}
		if _, _, isHub := r.Repository(); isHub {
			m.Commit = commit
		} else {
			for i := range m.Files {
				m.Files[i].URL = "https://weights.example/all/" + m.Files[i].Path
			}
		}
		m.Digest = weights.Digest(m).String()
		l.Models = append(l.Models, m)
	}
	l.Sort()
	return l
}

// clone shares no list with l.
func clone(l lock.Lock) lock.Lock {
	var own func(reflect.Value)
	own = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
		case v.Kind() == reflect.Slice && v.Len() > 0:
			list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(list, v)
			v.Set(list)
			for i := range v.Len() {
				own(v.Index(i))
			}
		case v.Kind() == reflect.Struct:
			for _, field := range v.Fields() {
				own(field)
			}
		}
	}
	own(reflect.ValueOf(&l).Elem())
	return l
}

// drift returns a build's complaints about a lock: that it can't be read, or its drift.
func drift(t *testing.T, p resolve.Project, l lock.Lock) []string {
	t.Helper()
	l = clone(l)
	l.Sort()
	l, err := lock.Parse("image.lock", l.Format())
	if err != nil {
		return []string{err.Error()}
	}
	found, err := p.Drift(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range uv.Doubtful(p.Requirements.Python, l, uv.Indexes{Default: uv.DefaultIndex, Further: strings.Fields(p.Env("UV_INDEX"))}) {
		found = append(found, fmt.Sprintf("asked for: %s %s from %s", d.Name, d.Version, d.Index))
	}
	return found
}

func TestALockFitsItsSpec(t *testing.T) {
	p, l := claimed(t)
	if found := drift(t, p, l); len(found) > 0 {
		t.Errorf("it drifts:\n%s", strings.Join(found, "\n"))
	}
}

// believed returns the fields of a lock whose changes a build doesn't notice, each with the
// reason why that is no way into an image.
func believed() map[string]string {
	const (
		served  = "what is fetched must have the sha256 of the lock, from a server that the spec or the user names, which has no other file there"
		counted = "it is shown, and decides how wheels share layers"
		before  = "packages of a repository besides Debian's have paths of its own"
	)
	return map[string]string{
		"Releases.Origin": "SBOMs show it", "Distributions.Metadata": "it is noted", "Distributions.License": "SBOMs show it",
		"Models.License": "SBOMs show it", "Models.List": "it is noted",
		"Releases.Date": "it is the date in the image's history", "Releases.SHA256": "it is noted", "Releases.Signers": "it is noted",
		"Packages.Size": counted, "Packages.SHA256": served, "Packages.Path": served,
		"Packages.Version": before, "Packages.Architecture": before,
		"Packages.For": "what a package needs is missed when it is configured", "Packages": "likewise",
		"Distributions.Size": counted, "Distributions.Unpacked": counted, "Distributions.SHA256": served, "Distributions.URL": served,
		"Distributions.Top":     "a prune rule may pass a layer by",
		"Distributions.Version": "an sdist, a tree or a file of its own address is held against it when it is built",
		"Distributions.For":     "what is missing is found when requirements are checked in the image",
		"Distributions":         "likewise",
		"UV.URL":                "its sha256 is that of this program",
		"Omitted.Reason":        "it is told",
		"Models.Plan":           "under another plan the layers are made anew", "Models.Files.Size": served,
	}
}

// A change of any field of a lock, with the digest in its first line updated, is rejected,
// or the field is known to be harmless.
func TestEachFieldOfALockIsAClaim(t *testing.T) {
	p, l := claimed(t)
	l = clone(l)
	seen := map[string]bool{}
	try := func(where, how string) {
		place := regexp.MustCompile(`\[[^]]*\]`).ReplaceAllString(where, "")
		if len(drift(t, p, l)) > 0 {
			return
		}
		if seen[place] = true; believed()[place] == "" {
			t.Errorf("%s: %s: the lock fits its spec", where, how)
		}
	}
	var walk func(where string, v reflect.Value)
	walk = func(where string, v reflect.Value) {
		before := reflect.New(v.Type()).Elem()
		before.Set(v)
		change := func(how string, value any) {
			other := reflect.ValueOf(value).Convert(v.Type())
			if reflect.DeepEqual(before.Interface(), other.Interface()) {
				return
			}
			v.Set(other)
			try(where, how)
			v.Set(before)
		}
		switch x := v.Interface().(type) {
		case time.Time:
			change("later", x.Add(time.Hour))
		case map[string]string:
			change("another", map[string]string{"a.bin": "z.bin"})
		case lock.Set:
			for _, set := range []string{"python", "runtime", "base", "build:insightface", "build:other", "extra@debug"} {
				change(set, lock.ParseSet(set))
			}
		default:
			switch v.Kind() {
			case reflect.String:
				text := v.String()
				for _, value := range []string{
					text + "x", "", "9.9", sum("evil"), "sha256:" + sum("evil"), strings.Replace(text, "://", "://evil.", 1),
					strings.Replace(text, path.Base(text), "evil-1.0-py3-none-any.whl", 1), "../" + text, "https://evil.example/x", "debian", "all", "numpy",
					strings.Replace(text, "a", "b", 1),
				} {
					change(value, value)
				}
			case reflect.Int, reflect.Int64:
				change("one more", v.Int()+1)
				change("nothing", 0)
				change("less", -1)
			case reflect.Struct:
				for i := range v.NumField() {
					name := v.Type().Field(i).Name
					if name != "ModelRequests" { // which the models have
						walk(strings.TrimPrefix(where+"."+name, "."), v.Field(i))
					}
				}
			case reflect.Slice:
				for i := range v.Len() {
					if where != "Packages" || i < 6 { // there are many like another
						walk(fmt.Sprintf("%s[%d]", where, i), v.Index(i))
					}
				}
				for i := range v.Len() {
					without := reflect.MakeSlice(v.Type(), 0, v.Len())
					for k := range v.Len() {
						if k != i {
							without = reflect.Append(without, before.Index(k))
						}
					}
					change(fmt.Sprintf("without %v", before.Index(i)), without.Interface())
				}
			default:
				t.Fatalf("%s: what is a %s?", where, v.Type())
			}
		}
	}
	walk("", reflect.ValueOf(&l).Elem())
	for place := range believed() {
		if !seen[place] {
			t.Errorf("%s: nothing that is changed there is believed", place)
		}
	}
	if found := drift(t, p, l); len(found) > 0 {
		t.Errorf("the test has changed the lock: %q", found)
	}
	t.Log(len(slices.Collect(maps.Keys(seen))), "fields are believed")
}
