package llb_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/lock"
)

const commit = "0123456789012345678901234567890123456789"

// decode marshals a state as for an engine, and decodes it.
func decode(t testing.TB, s llb.State) graph.Graph {
	t.Helper()
	def, err := llb.Marshal(t.Context(), s, ocispec.Platform{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Decode(def)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// called returns the one vertex with a name.
func called(t *testing.T, g graph.Graph, name string) graph.Vertex {
	t.Helper()
	i := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Name == name })
	if i < 0 {
		t.Fatalf("nothing is called %q", name)
	}
	return g.Vertices[i]
}

// root returns the result of a graph.
func root(g graph.Graph) graph.Vertex { return g.Vertices[g.Root.Vertex] }

// input returns the name of what an exec mounts at a path.
func input(g graph.Graph, v graph.Vertex, m *pb.Mount) string {
	if m.Input < 0 {
		return ""
	}
	return g.Vertices[v.Inputs[m.Input].Vertex].Name
}

// mounted returns the source of each mount but the root: "NAME" or "NAME:SELECTOR".
func mounted(g graph.Graph, v graph.Vertex) map[string]string {
	mounts := map[string]string{}
	for _, m := range v.Op.GetExec().Mounts {
		if m.Dest != "/" {
			mounts[m.Dest] = strings.TrimSuffix(input(g, v, m)+":"+m.Selector, ":")
		}
	}
	return mounts
}

// written returns what a graph writes into a file.
func written(t *testing.T, g graph.Graph, path string) string {
	t.Helper()
	for _, v := range g.Vertices {
		for _, a := range v.Op.GetFile().GetActions() {
			if f := a.GetMkfile(); f != nil && strings.TrimPrefix(f.Path, "/") == path {
				return string(f.Data)
			}
		}
	}
	t.Fatalf("nothing writes %s", path)
	return ""
}

func state(name string) llb.State { return llb.Files(name, map[string]string{name: name}) }

func layer(name string) llb.Layer {
	return llb.Layer{Name: name, Image: digest.FromString(name), DiffID: digest.FromString(name + " diff"), Size: 1}
}

func wheel(name string) llb.File {
	file := name + "-1-py3-none-any.whl"
	return llb.File{From: llb.Fetch("https://f.example/"+file, digest.FromString(name), file), Path: "/" + file}
}

// deb returns a package of a repository with its files in directories.
func deb(name string) lock.Package {
	return lock.Package{
		Name: name, Version: "1:1.0+b1", Architecture: "amd64", Repository: "debian", Path: "pool/main/" + name + "/package.deb", SHA256: digest.FromString(name).Encoded(),
	}
}

func runtime() llb.Debian {
	return llb.Debian{
		Name: "runtime", Tools: llb.Packed(layer("tools")), Mirrors: llb.Mirrors{"debian": "http://deb.example/debian/"},
		Base: []lock.Package{deb("dpkg")}, Packages: []lock.Package{deb("dpkg"), deb("python3")},
		Exclude: llb.Exclude{"/usr/share/doc/**", "!/usr/share/doc/*/copyright"}, User: llb.User{Name: "app", UID: 10001},
	}
}

// execs returns all building blocks that run something, each with all options.
func execs() map[string]llb.State {
	builder, uv, env := state("builder"), llb.UV{Wheel: wheel("uv")}.On(state("builder")), state("environment")
	built := llb.WheelBuild{
		Name: "flash-attn 2.8", Source: llb.Git("https://git.example/flash.git", commit), Dir: "py", Project: "flash-attn", Version: "2.8",
		Environment: &env, Optional: true,
	}.On(builder)
	return map[string]llb.State{
		"exec": llb.Exec{
			Name: "run", Args: []string{"/bin/true"}, Env: []string{"A=b=c"}, Dir: "/app", User: "app", Devices: []string{"nvidia.com/gpu=all"},
			Mounts: []llb.Mount{{Target: "/all", From: state("all")}, {Target: "/part", From: state("of"), Source: "/some"}},
		}.On(builder),
		"output": llb.Exec{Name: "make", Args: []string{"/bin/make"}, Mounts: []llb.Mount{{Target: "/in", From: state("in")}}}.Output(builder, "/out"),
		"debian": runtime().State(), "more debian": runtime().On(builder),
		"build": built, "uv": uv,
		"wheels": llb.Wheels{Name: "torch 2", UV: &uv, Files: []llb.File{wheel("torch"), wheel("numpy")}, Prune: []string{"**/*.a"}, Collisions: []string{"**/LICENSE"}}.On(builder),
		"built":  llb.Wheels{Name: "flash-attn 2.8", Built: &built, Optional: true}.On(builder),
		"check": llb.LayerCheck{
			Name: "torch 2", Layer: state("layer"), Places: []string{"/usr/local"}, Apart: []string{"/usr/local/sbin"}, Keep: llb.Exclude{"/a"},
			Lists: &env, Sdist: &env, Wheels: []llb.File{wheel("torch")},
		}.On(builder),
		"elf": llb.ELFClosure{Image: state("image"), Lists: state("lists"), ThirdParty: []string{"cuda"}, Ignore: []string{"libx.so"}}.On(builder),
		"distributions": llb.Distributions{
			Image: state("image"), Optional: []string{"a"}, Overridden: []string{"b"}, Collisions: []string{"c"},
		}.On(builder),
	}
}

// layers returns all building blocks that make a layer of an image, except those of an exec that
// cleans up after itself.
func layers() map[string]llb.State {
	return map[string]llb.State{
		"clean": llb.Clean("clean", state("dirty"), "/from", "/to"), "text": llb.Text("text", "/etc/a/b", "c"),
		"debian": runtime().State(), "more debian": runtime().On(state("rootfs")),
		"tree":          llb.Tree{Remote: "https://git.example/x.git", Commit: commit, Subdir: "sub", Exclude: []string{"assets"}, Path: "/opt/x"}.State(),
		"model":         llb.ModelLayer("model", []llb.File{wheel("a")}, nil),
		"several files": llb.ModelLayer("model", []llb.File{wheel("a"), wheel("b")}, []string{"/m/empty"}),
		"nothing":       llb.ModelLayer("model", nil, []string{"/m/empty"}),
	}
}

// No exec has a network, a credential or an agent, none can write to its inputs, and none has a
// directory that others write to.
func TestExecsAreSealed(t *testing.T) {
	for name, s := range execs() {
		seen := 0
		for _, v := range decode(t, s).Vertices {
			e := v.Op.GetExec()
			if e == nil {
				continue
			}
			seen++
			if e.Network != pb.NetMode_NONE || e.Security != pb.SecurityMode_SANDBOX || len(e.Secretenv) > 0 || e.Meta.Hostname != "lamina" || e.Meta.ProxyEnv != nil {
				t.Errorf("%s: %s runs with %v", name, v.Name, e)
			}
			for _, m := range e.Mounts {
				if m.MountType != pb.MountType_BIND {
					t.Errorf("%s: %s has a mount of type %s at %s", name, v.Name, m.MountType, m.Dest)
				}
				if !m.Readonly && m.Dest != "/" && m.Input >= 0 {
					t.Errorf("%s: %s can write to %s", name, v.Name, m.Dest)
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s runs nothing: this test checks the wrong thing", name)
		}
	}
}

// What would depend on the machine or the time is fixed for every exec.
func TestSurroundings(t *testing.T) {
	fixed := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "TZ=UTC",
		"PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "DEBIAN_FRONTEND=noninteractive", "SOURCE_DATE_EPOCH=315532800",
	}
	for name, s := range execs() {
		for _, v := range decode(t, s).Vertices {
			e := v.Op.GetExec()
			if e == nil {
				continue
			}
			if diff := cmp.Diff(fixed, e.Meta.Env[:len(fixed)]); diff != "" {
				t.Errorf("%s: environment of %s (-want +got):\n%s", name, v.Name, diff)
			}
		}
	}
	if got := llb.EpochTime(); got.Unix() != llb.Epoch || got.Format("2006-01-02 15:04:05 MST") != "1980-01-01 00:00:00 UTC" {
		t.Errorf("the epoch is %v", got)
	}
}

// The check of a layer mounts all that says what may be in it, and gets the rest as options.
func TestLayerCheck(t *testing.T) {
	g := decode(t, execs()["check"])
	v := called(t, g, "check: torch 2")
	want := map[string]string{
		"/.lamina/layer": "layer", "/.lamina/lists": "environment", "/.lamina/source": "environment", "/.lamina/scripts": "scripts of the check of layers", "/.lamina/out": "",
		"/.lamina/wheels/torch-1-py3-none-any.whl": "fetch torch-1-py3-none-any.whl:/torch-1-py3-none-any.whl",
	}
	if diff := cmp.Diff(want, mounted(g, v)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	args := v.Op.GetExec().Meta.Args
	if got, want := args[len(args)-1], `{"apart":["/usr/local/sbin"],"keep":["/a"],"name":"torch 2","places":["/usr/local"]}`; got != want {
		t.Errorf("options %s, want %s", got, want)
	}
	for _, script := range []string{"check_layer.py", "private_keys.py", "globs.py", "keys.json"} {
		if written(t, g, script) == "" {
			t.Errorf("there is no %s", script)
		}
	}
}

// Every file of every layer has one date, set by the last copy or at once.
func TestLayersHaveOneDate(t *testing.T) {
	const date = llb.Epoch * 1_000_000_000
	for name, s := range layers() {
		g := decode(t, s)
		actions := root(g).Op.GetFile().GetActions()
		if len(actions) == 0 {
			t.Errorf("%s ends in %s", name, root(g).Kind)
		}
		for _, a := range actions {
			if got := []int64{a.GetCopy().GetTimestamp(), a.GetMkdir().GetTimestamp(), a.GetMkfile().GetTimestamp()}; slices.Max(got) != date {
				t.Errorf("%s: an action %v has the date %v", name, a, got)
			}
		}
	}
}

// A layer is made from scratch and removes nothing, so it has no whiteouts.
func TestLayersHaveNoWhiteouts(t *testing.T) {
	for name, s := range layers() {
		g := decode(t, s)
		for i, a := range root(g).Op.GetFile().GetActions() {
			if a.GetRm() != nil || i == 0 && a.Input != -1 {
				t.Errorf("%s: action %d, %v, is upon input %d", name, i, a, a.Input)
			}
		}
		for _, v := range g.Vertices {
			if strings.HasSuffix(v.Name, ": one layer") {
				c := v.Op.GetFile().Actions[0].GetCopy()
				if !c.DirCopyContents || !c.CreateDestPath || len(c.ExcludePatterns)+len(c.IncludePatterns) > 0 {
					t.Errorf("%s: copied as %v", name, c)
				}
			}
		}
	}
}

// The same building block twice is one step.
func TestWordsAreTheSameEachTime(t *testing.T) {
	for range 5 {
		first, again := execs(), execs()
		for name := range first {
			if n := len(decode(t, llb.Merge("both", first[name], again[name])).Vertices); n != len(decode(t, first[name]).Vertices)+1 {
				t.Errorf("%s: %d steps, of two that are the same", name, n)
			}
		}
	}
}

// The images of models have one platform, whatever that of the images with their layers.
func TestModelsAreForAnyPlatform(t *testing.T) {
	for name, s := range map[string]llb.State{
		"pulled": llb.Pulled("m", digest.FromString("m")), "published": llb.Published("m", "r.example/m@"+digest.FromString("m").String()),
	} {
		if p := called(t, decode(t, llb.Merge("both", s, runtime().State())), "load m").Op.Platform; p.GetArchitecture() != "amd64" {
			t.Errorf("%s: an engine would look for %v", name, p)
		}
	}
}

// The platform is the image's, whatever this machine is.
func TestMarshalNamesThePlatform(t *testing.T) {
	for _, v := range decode(t, runtime().State()).Vertices {
		if p := v.Op.Platform; v.Kind == graph.Exec && (p.GetArchitecture() != "arm64" || p.GetOS() != "linux") {
			t.Errorf("%s is for %v", v.Name, p)
		}
	}
}
