package python_test

import (
	"slices"
	"strings"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/graph"
	"lamina.build/internal/python"
	"lamina.build/llb"
)

// exec is what pip runs in, and all content that the graph writes.
func exec(t *testing.T, o python.Options) (env []string, written string) {
	t.Helper()
	o.Builder, o.Requests = bkllb.Scratch(), []python.Request{{Set: "python"}}
	states, err := o.Graph()
	if err != nil {
		t.Fatal(err)
	}
	def, err := llb.Marshal(t.Context(), states[0], ocispec.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Decode(def)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Vertices {
		if e := v.Op.GetExec(); e != nil {
			env = e.GetMeta().GetEnv()
		}
		for _, action := range v.Op.GetFile().GetActions() {
			written += string(action.GetMkfile().GetData())
		}
	}
	return env, written
}

// pip trusts what the machine of the user trusts, wherever the engine is.
func TestTrustedAuthorities(t *testing.T) {
	env, written := exec(t, python.Options{Trusted: []byte("-- the company's own --")})
	if !slices.Contains(env, "SSL_CERT_FILE=/.lamina/trusted/ca.pem") || !strings.Contains(written, "-- the company's own --") {
		t.Errorf("the exec has %q", env)
	}
	if env, _ = exec(t, python.Options{}); slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "SSL_CERT_FILE=") }) {
		t.Errorf("without authorities the exec has %q", env)
	}
}
