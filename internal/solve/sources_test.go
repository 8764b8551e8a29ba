package solve

import (
	"errors"
	"strings"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/sourcepolicy"
	policypb "github.com/moby/buildkit/sourcepolicy/pb"
	"github.com/moby/buildkit/util/apicaps"
	apicapspb "github.com/moby/buildkit/util/apicaps/pb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/llb"
)

const commit = "0123456789012345678901234567890123456789"

func amd64() ocispec.Platform { return ocispec.Platform{OS: "linux", Architecture: "amd64"} }

func ops(t *testing.T, def *bkllb.Definition) (sources []*pb.SourceOp) {
	t.Helper()
	known := map[string]bool{}
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		for _, in := range op.Inputs {
			if !known[in.Digest] {
				t.Errorf("an input is nowhere above: %s", in.Digest)
			}
		}
		id := digest.FromBytes(data)
		known[id.String()] = true
		if _, ok := def.Metadata[id]; !ok {
			t.Errorf("nothing is known of %s", id)
		}
		if s := op.GetSource(); s != nil {
			sources = append(sources, s)
		}
	}
	return sources
}

// BuildKit's own policy engine allows the named sources wherever they are placed, as the graph
// then has them, and nothing else.
func TestPolicy(t *testing.T) {
	sum, blob := digest.FromString("deb"), digest.FromString("bundle")
	file, tree := llb.Fetch("https://deb.example/pool/a.deb", sum, "a.deb"), llb.Git("https://git.example/a/b.git", commit)
	packed := llb.Packed(llb.Layer{Name: "app", Image: digest.FromString("app")})
	vendored := map[string]string{sum.String(): llb.Vendored(sum), commit: llb.Vendored(blob)}
	ofRegistry := "docker-image+blob://registry.example/sources@" + sum.String()
	others := []llb.State{
		llb.Fetch("https://deb.example/pool/a.deb", blob, "a.deb"), llb.Fetch("https://other.example/pool/a.deb", sum, "a.deb"),
		bkllb.HTTP("https://deb.example/pool/a.deb"), bkllb.Git("https://git.example/a/b.git", "main"), bkllb.Git("http://git.example/a/b.git", commit),
		bkllb.Local("context"), bkllb.Image("registry.example/a:b"), bkllb.OCILayout("lamina/packed@"+blob.String(), bkllb.OCIStore("", "lamina")),
	}
	for _, tt := range []struct {
		name string
		Sources
		want string // of all identifiers and bundles
	}{
		{"as they are", Sources{}, "https://deb.example/pool/a.deb git://git.example/a/b.git#" + commit},
		{"offline", Sources{Offline: true}, nowhere + "deb.example/pool/a.deb git://127.0.0.1:9/offline/git.example/a/b.git#" + commit},
		{"vendored", Sources{Vendored: vendored}, llb.Vendored(sum) + " git://git.example/a/b.git#" + commit + " " + llb.Vendored(blob)},
		{"vendored in a registry", Sources{Vendored: map[string]string{sum.String(): ofRegistry, commit: ofRegistry}}, ofRegistry + " git://git.example/a/b.git#" + commit + " " + ofRegistry},
		{"by a login of its own", Sources{Secrets: map[string]string{"https://deb.example/pool/a.deb": "secret"}}, "https://deb.example/pool/a.deb secret git://git.example/a/b.git#" + commit},
		{"vendored in part, offline", Sources{Vendored: map[string]string{commit: llb.Vendored(blob)}, Offline: true}, nowhere + "deb.example/pool/a.deb git://git.example/a/b.git#" + commit + " " + llb.Vendored(blob)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.Named = []llb.State{file, tree, packed}
			graph := func(states ...llb.State) *bkllb.Definition {
				def, err := llb.Marshal(t.Context(), llb.Merge("image", append(states, llb.Files("a", map[string]string{"a": "a"}))...), amd64())
				if err != nil {
					t.Fatal(err)
				}
				return def
			}
			def := graph(file, tree, packed)
			policy, err := tt.apply(t.Context(), amd64(), def)
			if err != nil {
				t.Fatal(err)
			}
			engine := sourcepolicy.NewEngine([]*policypb.Policy{policy})
			var got []string
			for _, s := range ops(t, def) {
				if _, err := engine.Evaluate(t.Context(), s); err != nil {
					t.Errorf("%s: %v", s.Identifier, err)
				}
				if bundle := s.Attrs[pb.AttrGitBundle]; bundle != "" {
					got = append(got, s.Identifier, bundle)
					if _, err := engine.Evaluate(t.Context(), &pb.SourceOp{Identifier: bundle}); err != nil {
						t.Errorf("%s: %v", bundle, err)
					}
				} else if !strings.HasPrefix(s.Identifier, "oci-layout://") {
					got = append(got, s.Identifier)
				}
				if secret := s.Attrs[pb.AttrHTTPAuthHeaderSecret]; secret != "" {
					got = append(got, secret)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("sources are %q, want %s", got, tt.want)
			}
			for _, s := range ops(t, graph(others...)) {
				if _, err := engine.Evaluate(t.Context(), s); !errors.Is(err, sourcepolicy.ErrSourceDenied) {
					t.Errorf("%s %v: %v", s.Identifier, s.Attrs, err)
				} else if err = tt.denied(err); failure.KindOf(err) != failure.Findings && !errors.Is(err, ErrMissing) {
					t.Errorf("%s: it is told as %v", s.Identifier, err)
				}
			}
		})
	}
}

// A vendored tree with submodules is put together from their bundles, with all that the policy
// allows and without any submodule that git would fetch itself.
func TestVendoredSubmodules(t *testing.T) {
	const inner, below = "1123456789012345678901234567890123456789", "2123456789012345678901234567890123456789"
	s := Sources{
		Vendored: map[string]string{}, Offline: true,
		Submodules: map[string][]llb.Submodule{
			commit: {{Path: "one", Remote: "https://git.example/inner.git", Commit: inner}, {Path: "two/three", Remote: "https://git.example/inner.git", Commit: inner}},
			inner:  {{Path: "deep", Remote: "https://git.example/below.git", Commit: below}},
		},
	}
	tree := llb.Git("https://git.example/a/b.git", commit)
	s.Named = []llb.State{tree, llb.Git("https://git.example/inner.git", inner), llb.Git("https://git.example/below.git", below)}
	for _, c := range []string{commit, inner, below} {
		s.Vendored[c] = llb.Vendored(digest.FromString(c))
	}
	def, err := llb.Marshal(t.Context(), llb.Clean("tree", tree, "/", "/opt"), amd64())
	if err != nil {
		t.Fatal(err)
	}
	policy, err := s.apply(t.Context(), amd64(), def)
	if err != nil {
		t.Fatal(err)
	}
	engine, bundles := sourcepolicy.NewEngine([]*policypb.Policy{policy}), map[string]bool{}
	for _, source := range ops(t, def) {
		if _, err = engine.Evaluate(t.Context(), source); err != nil {
			t.Errorf("%s: %v", source.Identifier, err)
		}
		if source.Attrs[pb.AttrGitSkipSubmodules] != "true" {
			t.Errorf("git fetches the submodules of %s", source.Identifier)
		}
		bundles[source.Attrs[pb.AttrGitBundle]] = true
	}
	if len(bundles) != 3 || bundles[""] {
		t.Errorf("it comes from %v", bundles)
	}
	var copies []string
	for _, data := range def.Def {
		var op pb.Op
		if err = op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		for _, action := range op.GetFile().GetActions() {
			copies = append(copies, action.GetCopy().GetDest())
		}
	}
	if got, want := strings.Join(copies, " "), "/deep /one /two/three /opt"; !strings.HasPrefix(got, want) {
		t.Errorf("it copies to %s, want %s", got, want)
	}
}

// An engine that can't be restricted to the sources builds nothing.
func TestEnginesWithoutPolicies(t *testing.T) {
	caps := func(ids ...apicaps.CapID) apicaps.CapSet {
		var list apicaps.CapList
		var all []*apicapspb.APICap
		for _, id := range ids {
			list.Init(apicaps.Cap{ID: id, Enabled: true})
			all = append(all, &apicapspb.APICap{ID: string(id), Enabled: true})
		}
		return list.CapSet(all)
	}
	vendored := &Sources{Vendored: map[string]string{commit: llb.Vendored(digest.FromString("x"))}}
	all := caps(pb.CapSourcePolicy, pb.CapSourceImageBlob, pb.CapSourceGitBundle)
	if err := errors.Join(vendored.check(all), (&Sources{}).check(caps(pb.CapSourcePolicy)), (*Sources)(nil).check(caps())); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"the engine does not support source policies":          (&Sources{}).check(caps(pb.CapSourceGit)),
		"the engine can't read single files from this machine": vendored.check(caps(pb.CapSourcePolicy, pb.CapSourceImageBlob)),
	} {
		if err == nil || failure.KindOf(err) != failure.NoEngine || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
