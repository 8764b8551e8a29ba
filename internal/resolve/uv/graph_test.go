package uv

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/plugins/content/local"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/llb"
	"lamina.build/lock"
)

// execs returns the execs of a graph.
func execs(t *testing.T, s llb.State) []*pb.ExecOp {
	t.Helper()
	def, err := s.Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	var list []*pb.ExecOp
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		if e := op.GetExec(); e != nil {
			list = append(list, e)
		}
	}
	return list
}

// project returns options for a resolve, with unneeded files in the project's directory.
func project(t *testing.T) Options {
	t.Helper()
	store, err := local.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	uv, err := uvWheel("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Store: store, Builder: bkllb.Scratch(), Image: bkllb.Scratch(), CacheID: "RANDOM", Limit: 90e9, uv: uv,
		Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, Logins: Logins{"pypi.example": {User: "me", Password: "geheim"}},
		Project: directory(map[string]string{
			"pyproject.toml": "", "uv.lock": "", "app.py": "", ".env": "SECRET=1", "weights/model.bin": "", "wheels/a.whl": "", "wheels/b.tar.gz": "", "wheels/notes.txt": "", "own/c.whl": "", "own/d.whl": "",
		}),
		Requests: []Request{
			{Set: lock.ParseSet("python"), Files: reqfile.Set{Requirements: []reqfile.Requirement{{Name: "c", Kind: reqfile.Path, Path: "own/c.whl"}}, FindLinks: []string{"wheels", "https://links.example"}}},
			{Set: lock.ParseSet("python@locked"), Project: ".", ProjectFiles: []string{"pyproject.toml", "uv.lock"}},
		},
	}
}

func TestAnExecSeesWhatItsQuestionNames(t *testing.T) {
	layer, err := project(t).packProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := slices.DeleteFunc(slices.Clone(layer.Paths), func(name string) bool { return strings.HasSuffix(name, "/") })
	equal(t, "files", files, []string{"/own/c.whl", "/pyproject.toml", "/uv.lock", "/wheels/a.whl", "/wheels/b.tar.gz"})
	o := project(t)
	o.Requests = []Request{{Set: lock.ParseSet("python"), Files: reqfile.Set{Requirements: []reqfile.Requirement{{Name: "six", Kind: reqfile.Named}}}}}
	if layer, err = o.packProject(t.Context()); layer != nil || err != nil {
		t.Errorf("of nothing: %v, %v", layer, err)
	}
}

// A resolve has a socket instead of a network, and no login in any form.
func TestResolvesAreSealed(t *testing.T) {
	o := project(t)
	layer, err := o.packProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := openDoor(t, door.Options{Client: quick()})
	q := o.Requests[0].ask(pypi, inventory{}, versions{lock: lock.Lock{}})
	online := o.resolveGraph(0, q, layer, d)
	for name, s := range map[string]llb.State{"online": online, "offline": o.resolveGraph(0, q, layer, nil), "inventory": o.inventoryGraph()} {
		sockets, caches := 0, 0
		list := execs(t, s)
		if len(list) == 0 {
			t.Errorf("%s: no exec", name)
		}
		for _, e := range list {
			if e.Network != pb.NetMode_NONE {
				t.Errorf("%s: network is %s", name, e.Network)
			}
			text, err := json.Marshal(e)
			if err != nil || strings.Contains(string(text), "geheim") || len(e.Secretenv) > 0 {
				t.Errorf("%s: a login is in %s, %v", name, text, err)
			}
			for _, m := range e.Mounts {
				switch m.MountType {
				case pb.MountType_SECRET:
					t.Errorf("%s: a secret at %s", name, m.Dest)
				case pb.MountType_SSH:
					sockets++
				case pb.MountType_CACHE:
					caches++
					equal(t, "cache of "+name, m.CacheOpt.ID, "lamina-uv-RANDOM-python")
				}
			}
		}
		want := map[bool]int{true: 1}[name == "online"]
		if sockets != want || caches != want {
			t.Errorf("%s: %d sockets and %d caches, want %d", name, sockets, caches, want)
		}
	}
	last := execs(t, online)
	if env := last[len(last)-1].Meta.Env; !slices.Contains(env, "UV_HTTP_TIMEOUT=300") {
		t.Errorf("environment is %q", env)
	}
	args := strings.Join(last[len(last)-1].Meta.Args, " ")
	if !strings.Contains(args, "bridge.py /run/lamina-door.sock 90 /usr/bin/python3 ") {
		t.Errorf("arguments are %q", args)
	}
}

func TestNobodyIsAskedForNothing(t *testing.T) {
	o := Options{Requests: []Request{{Set: lock.ParseSet("python@bare")}}} // without an engine
	got, err := o.answers(t.Context(), inventory{}, "linux/amd64")
	if err != nil || len(got) != 1 || len(got[0].all()) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
