package llb_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"lamina.build/cache"
	"lamina.build/llb"
)

func TestExec(t *testing.T) {
	g := decode(t, execs()["exec"])
	v := called(t, g, "run")
	e := v.Op.GetExec()
	if !slices.Equal(e.Meta.Args, []string{"/bin/true"}) || e.Meta.Cwd != "/app" || e.Meta.User != "app" {
		t.Errorf("run as %v", e.Meta)
	}
	if last := e.Meta.Env[len(e.Meta.Env)-1]; last != "A=b=c" {
		t.Errorf("the last variable is %q", last)
	}
	if len(e.CdiDevices) != 1 || e.CdiDevices[0].Name != "nvidia.com/gpu=all" {
		t.Errorf("devices %v", e.CdiDevices)
	}
	if diff := cmp.Diff(map[string]string{"/all": "all", "/part": "of:/some"}, mounted(g, v)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	if e.Mounts[0].Dest != "/" || input(g, v, e.Mounts[0]) != "builder" || int64(g.Root.Output) != e.Mounts[0].Output {
		t.Errorf("it runs on %v, and out comes %d", e.Mounts[0], g.Root.Output)
	}
}

// Unset options are left out: they would make it another step for an engine.
func TestExecOfNothingElse(t *testing.T) {
	g := decode(t, llb.Exec{Name: "bare", Args: []string{"true"}}.On(state("root")))
	e := root(g).Op.GetExec()
	if e.Meta.Cwd != "/" || e.Meta.User != "" || len(e.CdiDevices) > 0 || len(e.Mounts) != 1 || len(e.Meta.Env) != 8 {
		t.Errorf("it is %v", e)
	}
}

// Only the output of the exec is kept.
func TestOutput(t *testing.T) {
	g := decode(t, execs()["output"])
	v := root(g)
	for _, m := range v.Op.GetExec().Mounts {
		switch m.Dest {
		case "/out":
			if m.Input != -1 || m.Readonly || m.Output != int64(g.Root.Output) {
				t.Errorf("the directory is %v, and out comes %d", m, g.Root.Output)
			}
		case "/in":
			if m.Output != -1 {
				t.Errorf("%s comes out", m.Dest)
			}
		}
	}
}

// The order of mounts doesn't matter, since BuildKit sorts them.
func TestOrderOfMountsMovesNothing(t *testing.T) {
	a, b := llb.Mount{Target: "/a", From: state("a")}, llb.Mount{Target: "/b", From: state("b")}
	one := decode(t, llb.Exec{Name: "x", Args: []string{"x"}, Mounts: []llb.Mount{a, b}}.On(state("root")))
	other := decode(t, llb.Exec{Name: "x", Args: []string{"x"}, Mounts: []llb.Mount{b, a}}.On(state("root")))
	if root(one).Digest != root(other).Digest {
		t.Error("another order of mounts is another exec")
	}
}

func TestCachesOfAnExec(t *testing.T) {
	m := cache.UV("RANDOM", "python")
	g := decode(t, llb.Exec{Name: "x", Args: []string{"x"}, Caches: []cache.Mount{m}}.On(state("root")))
	got, locked := root(g).Op.GetExec().Mounts[1], pb.CacheSharingOpt_LOCKED
	if got.MountType != pb.MountType_CACHE || got.Dest != m.Target || got.CacheOpt.ID != m.ID || got.CacheOpt.Sharing != locked || got.Input != -1 {
		t.Errorf("%+v is mounted as %v", m, got)
	}
}

func TestSocketsOfAnExec(t *testing.T) {
	g := decode(t, llb.Exec{Name: "x", Args: []string{"x"}, Sockets: []llb.Socket{{ID: "door", Path: "/run/door.sock"}}}.On(state("root")))
	m := root(g).Op.GetExec().Mounts[1]
	if m.MountType != pb.MountType_SSH || m.Dest != "/run/door.sock" || m.SSHOpt.ID != "door" || m.SSHOpt.Optional {
		t.Errorf("the socket is %v", m)
	}
}

func TestChecksLookAtTheImageFromTheBuilder(t *testing.T) {
	for name, want := range map[string]struct{ program, scripts, step, options string }{
		"elf": {
			"elf_closure.py", "scripts of the library check", "smoke: libraries of all ELF files",
			`{"driver":["libcuda.so.1","libnvidia-ml.so.1","libnvidia-ptxjitcompiler.so.1","libnvcuvid.so.1","libnvidia-encode.so.1"],"ignore":["libx.so"],"third_party":["cuda"]}`,
		},
		"distributions": {
			"check_distributions.py", "scripts of the package check", "smoke: requirements of all Python packages",
			`{"collisions":["c"],"optional":["a"],"overridden":["b"]}`,
		},
	} {
		g := decode(t, execs()[name])
		v := called(t, g, want.step)
		scripts := "/.lamina/scripts/"
		if got := v.Op.GetExec().Meta.Args; !slices.Equal(got, []string{"/usr/bin/python3", "-I", "-S", scripts + want.program, scripts + "options.json"}) {
			t.Errorf("%s runs %q", name, got)
		}
		mounts := map[string]string{"/image": "image", "/.lamina/out": "", "/.lamina/scripts": want.scripts}
		if name == "elf" {
			mounts["/.lamina/lists"] = "lists"
		}
		if diff := cmp.Diff(mounts, mounted(g, v)); diff != "" {
			t.Errorf("%s: mounts (-want +got):\n%s", name, diff)
		}
		if input(g, v, v.Op.GetExec().Mounts[0]) != "builder" || written(t, g, want.program) == "" {
			t.Errorf("%s doesn't run in the builder, or without its script", name)
		}
		if got := written(t, g, "options.json"); got != want.options+"\n" {
			t.Errorf("%s: options %s", name, got)
		}
	}
}

// A script reads lists, even empty ones.
func TestListsOfNothingAreNotNull(t *testing.T) {
	for want, s := range map[string]llb.State{
		`{"collisions":[],"optional":[],"overridden":[]}`:    llb.Distributions{Image: state("image")}.On(state("builder")),
		`{"collisions":[],"optional":false,"prune":[]}` + "": llb.Wheels{Name: "none"}.On(state("builder")),
	} {
		if got := written(t, decode(t, s), "options.json"); got != want+"\n" {
			t.Errorf("options %s, want %s", got, want)
		}
	}
}
