package enginetest_test

import (
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/enginetest"
)

func TestEngineIsOurOwnVersion(t *testing.T) {
	e := enginetest.Engine(t)
	if e.Kind != engine.Private || !e.Same || e.Version != engine.Version {
		t.Errorf("got a %s engine, version %s, same %t; want a private one of %s", e.Kind, e.Version, e.Same, engine.Version)
	}
	if enginetest.Engine(t) != e {
		t.Error("the second call opened another engine")
	}
}

func TestClientSolves(t *testing.T) {
	c := enginetest.Client(t)
	def, err := bkllb.Scratch().File(bkllb.Mkfile("/hello", 0o644, []byte("hello"))).Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Solve(t.Context(), def, client.SolveOpt{}, nil); err != nil {
		t.Fatal(err)
	}
}
