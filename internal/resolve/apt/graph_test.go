package apt

import (
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"lamina.build/internal/graph"
)

// No exec of apt has a network, a credential, or a directory that others write to.
func TestEveryExecIsSealed(t *testing.T) {
	state := steps(footing{}, nil)
	def, err := state.Marshal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Decode(def)
	if err != nil {
		t.Fatal(err)
	}
	execs := 0
	for _, v := range g.Vertices {
		e := v.Op.GetExec()
		if e == nil {
			continue
		}
		execs++
		if e.Network != pb.NetMode_NONE || e.Security != pb.SecurityMode_SANDBOX || len(e.Secretenv) > 0 {
			t.Errorf("%s: network %s, security %s, secrets %v", v.Name, e.Network, e.Security, e.Secretenv)
		}
		for _, m := range e.Mounts {
			if m.MountType != pb.MountType_BIND {
				t.Errorf("%s: it has a mount of type %s at %s", v.Name, m.MountType, m.Dest)
			}
		}
	}
	if execs != 2 {
		t.Errorf("%d execs seen, want 2", execs)
	}
}
