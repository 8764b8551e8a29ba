package llb_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/lock"
)

func TestRootFileSystemOfPackages(t *testing.T) {
	g := decode(t, runtime().State())
	v := called(t, g, "runtime: install 2 packages")
	want := []string{
		"/.lamina/tools/busybox", "sh", "/.lamina/scripts/bootstrap.sh", "app:10001",
	}
	if diff := cmp.Diff(want, v.Op.GetExec().Meta.Args); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	mounts := map[string]string{
		"/.lamina/tools": "load tools", "/.lamina/debs": "runtime: gather packages", "/.lamina/scripts": "scripts of dpkg",
		"/.lamina/lists": "",
	}
	if diff := cmp.Diff(mounts, mounted(g, v)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	if m := v.Op.GetExec().Mounts[0]; m.Dest != "/" || m.Input != -1 {
		t.Errorf("it is made upon %v", m)
	}
	debs := []string{
		"fetch dpkg_1.0+b1_amd64.deb: /dpkg_1.0+b1_amd64.deb > /base/dpkg_1.0+b1_amd64.deb",
		"fetch python3_1.0+b1_amd64.deb: /python3_1.0+b1_amd64.deb > /more/python3_1.0+b1_amd64.deb",
	}
	if diff := cmp.Diff(debs, copied(g, called(t, g, "runtime: gather packages"))); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	for _, script := range []string{"bootstrap.sh", "install.sh", "prevent.sh", "rounds.sh", "account.sh", "made.sh", "made.tsv", "steady.pl", "bytecode.py", "exclude.sh", "kept.sh"} {
		if written(t, g, script) == "" {
			t.Errorf("there is no %s", script)
		}
	}
}

// An answer for a package that is not installed moves no step.
func TestAnswersOfPackages(t *testing.T) {
	d := runtime()
	d.Debconf = []string{"python3 python3/who string a  b", "python python/who string", "dpkg dpkg/why boolean true"}
	if got, want := written(t, decode(t, d.State()), "debconf"), "python3 python3/who string a  b\ndpkg dpkg/why boolean true\n"; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
}

// dpkg's lists come from the same step, so that nothing is installed twice.
func TestListsOfPackages(t *testing.T) {
	for name, both := range map[string][2]llb.State{
		"alone": {runtime().State(), runtime().Lists()}, "above": {runtime().On(state("rootfs")), runtime().ListsOn(state("rootfs"))},
		"with": {runtime().With(state("rootfs")), runtime().ListsOn(state("rootfs"))},
	} {
		execs := 0
		g := decode(t, llb.Merge("both", both[0], both[1]))
		for _, v := range g.Vertices {
			if v.Kind == graph.Exec {
				execs++
			}
		}
		if execs != 1 {
			t.Errorf("%s: %d steps install packages", name, execs)
		}
		lists := decode(t, both[1])
		if v := root(lists); v.Kind != graph.Exec || v.Op.GetExec().Mounts[lists.Root.Output].Dest == "/" {
			t.Errorf("%s: the lists are output %d of %q", name, lists.Root.Output, v.Name)
		}
	}
}

// Two installations differ only in a variable, and the builder compares them.
func TestDifferencesOfTwoInstallations(t *testing.T) {
	rootfs := state("rootfs")
	for name, state := range map[string]llb.State{
		"alone": runtime().Differences(state("builder"), nil, "again"), "above": runtime().Differences(state("builder"), &rootfs, "again"),
	} {
		g := decode(t, state)
		var env [][]string
		for _, v := range g.Vertices {
			if v.Name == "runtime: install 2 packages" {
				env = append(env, v.Op.GetExec().Meta.Env)
			}
		}
		if len(env) != 2 {
			t.Fatalf("%s: the packages are installed %d times", name, len(env))
		}
		slices.SortFunc(env, func(a, b []string) int { return len(a) - len(b) })
		if diff := cmp.Diff(append(env[0], "LAMINA_MARKER=again"), env[1]); diff != "" {
			t.Errorf("%s: the environments (-want +got):\n%s", name, diff)
		}
		got := slices.Collect(maps.Keys(mounted(g, called(t, g, "runtime: compare two installations"))))
		if slices.Sort(got); !slices.Equal(got, []string{"/.lamina/first", "/.lamina/lists", "/.lamina/out", "/.lamina/scripts", "/.lamina/second"}) {
			t.Errorf("%s: mounted are %q", name, got)
		}
	}
}

// Further packages add what they change, and nothing that is there already.
func TestPackagesOnARootFileSystem(t *testing.T) {
	more := llb.Debian{
		Name: "debug", Tools: llb.Packed(layer("tools")), Mirrors: llb.Mirrors{"debian": "http://deb.example"}, Packages: []lock.Package{deb("gdb")},
	}
	g := decode(t, more.On(state("rootfs")))
	v := called(t, g, "debug: install 1 packages")
	if diff := cmp.Diff([]string{"/bin/sh", "/.lamina/scripts/install.sh", ""}, v.Op.GetExec().Meta.Args); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	if input(g, v, v.Op.GetExec().Mounts[0]) != "rootfs" {
		t.Errorf("it runs on %q", input(g, v, v.Op.GetExec().Mounts[0]))
	}
	i := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Kind == graph.Diff })
	if i < 0 || g.Vertices[g.Vertices[i].Inputs[0].Vertex].Name != "rootfs" || g.Vertices[g.Vertices[i].Inputs[1].Vertex].Name != v.Name {
		t.Error("it is no difference to the root file system")
	}
	if got := copied(g, called(t, g, "debug: gather packages")); len(got) != 1 || !strings.HasSuffix(got[0], " > /more/gdb_1.0+b1_amd64.deb") {
		t.Errorf("packages %q", got)
	}
}

func TestUsers(t *testing.T) {
	for want, u := range map[string]llb.User{"": {}, "postgres": {Name: "postgres"}, "app:10001": {Name: "app", UID: 10001}} {
		if u.String() != want {
			t.Errorf("%+v is %q", u, u.String())
		}
	}
}

func TestUV(t *testing.T) {
	g := decode(t, execs()["uv"])
	v := root(g)
	const file = "/.lamina/wheels/uv-1-py3-none-any.whl"
	if args := v.Op.GetExec().Meta.Args; v.Name != "unpack uv" || !slices.Equal(args[len(args)-2:], []string{file, "/.lamina/out"}) {
		t.Errorf("%s runs %q", v.Name, args)
	}
	if diff := cmp.Diff(map[string]string{file: "fetch uv-1-py3-none-any.whl:/uv-1-py3-none-any.whl", "/.lamina/out": ""}, mounted(g, v)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

// An sdist or a tree is built with its own environment, over the builder's.
func TestWheelBuild(t *testing.T) {
	g := decode(t, execs()["build"])
	v := called(t, g, "flash-attn 2.8: compile")
	want := []string{"/bin/sh", "/.lamina/scripts/wheel.sh", "", "py", "2.8", "true", "flash-attn"}
	if diff := cmp.Diff(want, v.Op.GetExec().Meta.Args); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	mounts := map[string]string{
		"/.lamina/source": "fetch flash 012345678901", "/.lamina/scripts": "scripts of the compilation",
		"/usr/local": "environment:/usr/local", "/.lamina/out": "",
	}
	if diff := cmp.Diff(mounts, mounted(g, v)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	for _, script := range []string{"wheel.sh", "source.py", "sdist.py", "built.py"} {
		if written(t, g, script) == "" {
			t.Errorf("there is no %s", script)
		}
	}
}

// Builds get the version that they would ask git for; the user's own tree knows its version.
func TestWheelBuildsAreToldTheirVersion(t *testing.T) {
	versions := func(w llb.WheelBuild) (list []string) {
		w.Name, w.Source = "x", state("source")
		for _, kv := range root(decode(t, w.On(state("builder")))).Op.GetExec().Meta.Env {
			if strings.Contains(kv, "VERSION") {
				list = append(list, kv)
			}
		}
		return list
	}
	want := []string{
		"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_FLASH_ATTN=2.8", "SETUPTOOLS_SCM_PRETEND_VERSION=2.8", "PBR_VERSION=2.8", "PDM_BUILD_SCM_VERSION=2.8",
		"POETRY_DYNAMIC_VERSIONING_BYPASS=2.8", "UV_DYNAMIC_VERSIONING_BYPASS=2.8",
	}
	if diff := cmp.Diff(want, versions(llb.WheelBuild{Project: "flash-attn", Version: "2.8"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, w := range []llb.WheelBuild{{}, {Project: "own"}, {Version: "1"}} {
		if got := versions(w); got != nil {
			t.Errorf("%+v: it is told %q", w, got)
		}
	}
}

// Each wheel is mounted by name; built ones are mounted as a whole.
func TestWheels(t *testing.T) {
	for name, want := range map[string]struct {
		step    string
		mounts  map[string]string
		options string
	}{
		"wheels": {
			"torch 2: install", map[string]string{
				"/.lamina/uv": "unpack uv", "/.lamina/scripts": "scripts of the installation", "/.lamina/out": "",
				"/.lamina/wheels/torch-1-py3-none-any.whl": "fetch torch-1-py3-none-any.whl:/torch-1-py3-none-any.whl",
				"/.lamina/wheels/numpy-1-py3-none-any.whl": "fetch numpy-1-py3-none-any.whl:/numpy-1-py3-none-any.whl",
			}, `{"collisions":["**/LICENSE"],"optional":false,"prune":["**/*.a"]}`,
		},
		"built": {
			"flash-attn 2.8: install", map[string]string{
				"/.lamina/scripts": "scripts of the installation", "/.lamina/out": "", "/.lamina/wheels": "flash-attn 2.8: compile",
			}, `{"collisions":[],"optional":true,"prune":[]}`,
		},
	} {
		g := decode(t, execs()[name])
		v := called(t, g, want.step)
		if diff := cmp.Diff(want.mounts, mounted(g, v)); diff != "" {
			t.Errorf("%s: mounts (-want +got):\n%s", name, diff)
		}
		if got := written(t, g, "options.json"); got != want.options+"\n" {
			t.Errorf("%s: options %s", name, got)
		}
		for _, script := range []string{"install_wheels.py", "finish_wheels.py", "globs.py"} {
			if written(t, g, script) == "" {
				t.Errorf("there is no %s", script)
			}
		}
		// The layer is what the script leaves, unchanged: a copy would write gigabytes again.
		if root(g).Name != want.step {
			t.Errorf("%s ends in %q", name, root(g).Name)
		}
	}
}
