package uv

import (
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// brings returns a wheel with files of these contents.
func brings(name, version string, files ...string) *distribution {
	d := &distribution{Name: name, Version: version, Kind: kindWheel, wheel: &wheel{}}
	for _, f := range files {
		target, content, _ := strings.Cut(f, "=")
		d.wheel.Files = append(d.wheel.Files, member{Target: target, Size: uint64(len(content)), Sum: crc([]byte(content))})
	}
	return d
}

func TestCheck(t *testing.T) {
	debian := inventory{Image: map[string]string{"pillow": "9.4.0", "six": "1.16.0"}, Programs: []string{"python3", "pip", "six"}}
	two := []*distribution{brings("a", "1.0", "shared/x.py=one", "a.py"), brings("b", "2.0", "shared/x.py=two", "b.py")}
	more := []*distribution{brings("a", "1.0", "x/1=a", "x/2=a", "y/3=a"), brings("b", "2.0", "x/1=b", "x/2=b", "y/3=b")}
	const hint = `exclude one of them, as with excludes = ["b"] under [python], or allow harmless clashes: collisions = ["GLOB"]`
	for _, tt := range []struct {
		name  string
		r     Request
		dists []*distribution
		want  []string
		hints []string
	}{
		{"nothing", Request{}, []*distribution{brings("a", "1.0", "a.py"), brings("b", "1.0", "b.py"), {Name: "sdist", Kind: kindSdist}}, nil, nil},
		{"other content", Request{}, two, []string{"python: a 1.0 and b 2.0 both hold shared/x.py, with different content"}, []string{hint}},
		{"other size, same sum", Request{}, []*distribution{brings("a", "1.0", "x=one"), {Name: "b", Version: "2.0", wheel: &wheel{Files: []member{{Target: "x", Size: 4, Sum: crc([]byte("one"))}}}}}, []string{"python: a 1.0 and b 2.0 both hold x, with different content"}, []string{hint}},
		{"same content", Request{}, []*distribution{brings("a", "1.0", "shared/__init__.py="), brings("b", "1.0", "shared/__init__.py=")}, nil, nil},
		{"several files", Request{}, more, []string{"python: a 1.0 and b 2.0 both hold x/1 and 2 more files, with different content"}, []string{hint}},
		{"two files", Request{Prune: []string{"y/**"}}, more, []string{"python: a 1.0 and b 2.0 both hold x/1 and 1 more file, with different content"}, []string{hint}},
		{
			"file on a directory",
			Request{Prune: []string{"**"}},
			[]*distribution{brings("a", "1.0", "x=1", "y/x=1", "y/x/z=1"), brings("b", "1.0", "x/y/1=1", "x/2=1", "../bin/y=1")},
			[]string{"python: a 1.0 holds the file y/x, and a 1.0 holds files below it", "python: a 1.0 holds the file x, and b 1.0 holds files below it"},
			nil,
		},
		{"allowed", Request{Collisions: []string{"shared/*.py"}}, two, nil, nil},
		{"allowed, other ones", Request{Collisions: []string{"other/**"}}, two, []string{"python: a 1.0 and b 2.0 both hold shared/x.py, with different content"}, []string{hint}},
		{"pruned", Request{Prune: []string{"**/x.py"}}, two, nil, nil},
		{"pruned, and taken back", Request{Prune: []string{"**/x.py", "!shared/**"}}, two, []string{"python: a 1.0 and b 2.0 both hold shared/x.py, with different content"}, []string{hint}},
		{
			"several pairs",
			Request{},
			[]*distribution{brings("c", "1", "x=1", "y=1"), brings("b", "1", "x=2"), brings("a", "1", "y=3")},
			[]string{"python: c 1 and a 1 both hold y, with different content", "python: c 1 and b 1 both hold x, with different content"},
			nil,
		},
		{"scripts of two", Request{}, []*distribution{brings("a", "1.0", "../bin/run=a:main"), brings("b", "2.0", "../bin/run=b:main")}, []string{"python: a 1.0 and b 2.0 both hold bin/run, with different content"}, []string{hint}},
		{"scripts of two, allowed", Request{Collisions: []string{"bin/run"}}, []*distribution{brings("a", "1.0", "../bin/run=a:main"), brings("b", "2.0", "../bin/run=b:main")}, nil, nil},
		{"script of one, said twice", Request{}, []*distribution{brings("a", "1.0", "../bin/run=a:main", "../bin/run=#!python")}, nil, nil},
		{
			"over Debian's",
			Request{},
			[]*distribution{brings("pip", "24.0", "../bin/pip=x", "../bin/pip3.99=x", "../share/python3=x", "bin/python3=x")},
			[]string{"python: the script bin/pip of pip 24.0 would run in place of Debian's program pip"},
			[]string{`collisions = ["bin/pip"] under [python] would allow that`},
		},
		{"over Debian's, allowed", Request{Collisions: []string{"bin/pip"}}, []*distribution{brings("pip", "24.0", "../bin/pip=x")}, nil, nil},
		{"over Debian's, pruned", Request{Prune: []string{"bin/pip"}}, []*distribution{brings("pip", "24.0", "../bin/pip=x")}, nil, nil},
		{"over Debian's own package of it", Request{}, []*distribution{brings("six", "1.17.0", "../bin/six=x")}, nil, nil},
		{
			"enemies",
			Request{},
			[]*distribution{brings("opencv-python", "4.10"), brings("opencv-python-headless", "4.10")},
			[]string{`python: opencv-python and opencv-python-headless both install the package "cv2" and overwrite each other`},
			[]string{`write excludes = ["opencv-python"] under [python] to leave one out everywhere`},
		},
		{
			"all at once",
			Request{},
			append([]*distribution{brings("pip", "1", "../bin/pip=x"), brings("pillow", "1"), brings("pillow-simd", "1")}, two...),
			[]string{
				`python: pillow and pillow-simd both install the package "PIL" and overwrite each other`,
				"python: the script bin/pip of pip 1 would run in place of Debian's program pip",
				"python: a 1.0 and b 2.0 both hold shared/x.py, with different content",
			},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Set = lock.ParseSet("python")
			err := Options{Note: func(string) {}}.check(tt.r, answer{Distributions: tt.dists}, debian)
			if tt.want == nil {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			refused(t, err)
			equal(t, "problems", strings.Split(err.Error(), "\n"), tt.want)
			if tt.hints != nil {
				equal(t, "hints", failure.Hints(err), tt.hints)
			}
		})
	}
}

func TestWhatIsThereTwiceIsTold(t *testing.T) {
	var told notebook
	a := answer{Distributions: []*distribution{brings("six", "1.17.0"), brings("torch", "2.6"), brings("pillow", "11.0")}}
	if err := (Options{Note: told.note}).check(Request{Set: lock.ParseSet("python@v")}, a, inventory{Image: map[string]string{"pillow": "9.4.0", "six": "1.16.0"}}); err != nil {
		t.Fatal(err)
	}
	equal(t, "notes", told.told, []string{"python@v: in the image twice, from an index and from Debian: pillow (11.0, and Debian's 9.4.0), six (1.17.0, and Debian's 1.16.0)"})
}

func TestImports(t *testing.T) {
	of := func(top ...string) *distribution {
		return &distribution{Name: "p", Kind: kindWheel, wheel: &wheel{Top: top}}
	}
	const refusal = "python: [smoke] imports wan.deep, but no installed package provides it"
	const doubt = refusal + ", unless something that is built, a git tree or PYTHONPATH does"
	for _, tt := range []struct {
		name string
		r    Request
		dist *distribution
		want string // "" where the module is known
	}{
		{"package", Request{}, of("wan"), ""},
		{"module", Request{}, of("wan.cpython-311-x86_64-linux-gnu.so"), ""},
		{"another one", Request{}, of("wand"), refusal},
		{"path file", Request{}, of("a.pth"), doubt},
		{"sdist of that name", Request{}, &distribution{Name: "wan", Kind: kindSdist}, ""},
		{"sdist of another name", Request{}, &distribution{Name: "p", Kind: kindSdist}, doubt},
		{"source tree", Request{Sources: map[string]string{"own": "own"}}, nil, doubt},
		{"git tree or PYTHONPATH", Request{Trees: true}, of("wand"), doubt},
		{"no distribution", Request{}, nil, refusal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told notebook
			tt.r.Set, tt.r.Imports = lock.ParseSet("python"), []string{"wan.deep", "yaml"} // the second one is Debian's
			a := answer{Distributions: []*distribution{tt.dist}}
			if tt.dist == nil {
				a.Distributions = nil
			}
			err := Options{Note: told.note}.imports(tt.r, a, inventory{Modules: []string{"yaml"}})
			if tt.want == refusal {
				refused(t, err, refusal)
				equal(t, "hints", failure.Hints(err), []string{"add wan to the requirements, or correct the name"})
			} else if err != nil {
				t.Error(err)
			}
			if told := strings.Join(told.told, "\n"); (tt.want == doubt) != (told == doubt) {
				t.Errorf("told %q", told)
			}
		})
	}
}
