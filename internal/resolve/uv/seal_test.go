package uv

import (
	"strings"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/cache"
	"lamina.build/internal/fetch"
	"lamina.build/internal/graph"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// No exec of a lock has a network or a credential. Only the one that resolves has a door.
// Builds are tested in package stages.
func TestEveryExecOfALockIsSealed(t *testing.T) {
	r := Request{Set: lock.ParseSet("python"), Sources: map[string]string{}}
	r.Files.Requirements = []reqfile.Requirement{{Name: "torch", Line: "torch"}}
	o := Options{
		Builder: bkllb.Image("builder"), Image: bkllb.Image("image"), Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
		Requests: []Request{r}, HTTP: fetch.New(fetch.Options{}), CacheID: "id", Dir: t.TempDir(),
		Logins: Logins{"pypi.org": {User: "me", Password: "secret"}}, Indexes: Indexes{Default: DefaultIndex},
		uv: lock.UV{Version: "1", URL: "https://f.example/uv.whl", File: "uv.whl", SHA256: "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25"},
	}
	d := openDoor(t, door.Options{Client: quick()})
	q := r.ask(o.Indexes, inventory{}, versions{})
	for name, tt := range map[string]struct {
		state        bkllb.State
		execs, doors int
	}{"inventory": {o.inventoryGraph(), 1, 0}, "offline": {o.resolveGraph(0, q, nil, nil), 1, 0}, "online": {o.resolveGraph(0, q, nil, d), 2, 1}} {
		t.Run(name, func(t *testing.T) {
			def, err := tt.state.Marshal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g, err := graph.Decode(def)
			if err != nil {
				t.Fatal(err)
			}
			execs, doors := 0, 0
			for _, v := range g.Vertices {
				if e := v.Op.GetExec(); e != nil {
					execs++
					doors += sealed(t, v.Name, e)
				}
			}
			if execs != tt.execs || doors != tt.doors {
				t.Errorf("%d execs with %d doors, want %d with %d", execs, doors, tt.execs, tt.doors)
			}
		})
	}
}

// sealed checks an exec, and returns its number of doors.
func sealed(t *testing.T, name string, e *pb.ExecOp) (doors int) {
	t.Helper()
	if e.Network != pb.NetMode_NONE || e.Security != pb.SecurityMode_SANDBOX || len(e.Secretenv) > 0 {
		t.Errorf("%s: network %s, security %s, secrets %v", name, e.Network, e.Security, e.Secretenv)
	}
	for _, m := range e.Mounts {
		switch {
		case m.MountType == pb.MountType_SSH && m.Dest == socketPath && m.SSHOpt.ID == doorID(0):
			doors++
		case m.MountType == pb.MountType_CACHE && m.CacheOpt.ID == cache.UV("id", "python").ID && m.CacheOpt.Sharing == pb.CacheSharingOpt_LOCKED:
			// The project's own.
		case m.MountType != pb.MountType_BIND && m.MountType != pb.MountType_TMPFS:
			t.Errorf("%s: it has a mount of type %s at %s", name, m.MountType, m.Dest)
		}
	}
	for _, kv := range e.Meta.Env {
		if strings.Contains(kv, "secret") {
			t.Errorf("%s: its environment has %s", name, kv)
		}
	}
	return doors
}
