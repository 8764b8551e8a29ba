package solve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	policypb "github.com/moby/buildkit/sourcepolicy/pb"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/proto"

	"lamina.build/internal/failure"
	"lamina.build/llb"
)

// Sources say what an engine may fetch, and from where. The zero value lets it fetch
// nothing.
type Sources struct {
	Named    []llb.State       // made of what may be fetched: each source by its digest
	Vendored map[string]string // identifiers of blobs, as of [llb.Vendored], by the SHA-256 of a file or the commit of a git tree
	Store    content.Store     // of those that the client has; nil for none
	Offline  bool              // nothing comes over the network
}

// policy lets an engine fetch the sources that are named, each with its digest, and nothing
// else: whatever else a graph may hold, the engine itself denies it.
func (s Sources) policy(ctx context.Context, platform ocispec.Platform) (*policypb.Policy, error) {
	// Of the rules that match, the last one holds.
	p := &policypb.Policy{Version: 1, Rules: []*policypb.Rule{{
		Action: policypb.PolicyAction_DENY, Selector: &policypb.Selector{Identifier: ".*", MatchType: policypb.MatchType_REGEX},
	}}}
	if len(s.Named) == 0 {
		return p, nil
	}
	def, err := llb.Marshal(ctx, llb.Merge("sources", s.Named...), platform)
	if err != nil {
		return nil, err
	}
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, fmt.Errorf("reading the graph: %w", err)
		}
		source := op.GetSource()
		if source == nil || s.Offline && strings.HasPrefix(source.Identifier, "docker-image://") {
			continue
		}
		s.place(source)
		p.Rules = append(p.Rules, allow(source))
		if bundle := source.Attrs[pb.AttrGitBundle]; bundle != "" {
			p.Rules = append(p.Rules, allow(&pb.SourceOp{Identifier: bundle}))
		}
	}
	return p, nil
}

// allow matches a source with its digest. An image and a blob have it in their names.
func allow(source *pb.SourceOp) *policypb.Rule {
	selector := &policypb.Selector{Identifier: source.Identifier, MatchType: policypb.MatchType_EXACT}
	// A git tree comes from its full URL, whatever its name is.
	for _, key := range []string{pb.AttrHTTPChecksum, pb.AttrGitChecksum, pb.AttrFullRemoteURL, pb.AttrGitBundle} {
		if value, ok := source.Attrs[key]; ok {
			selector.Constraints = append(selector.Constraints, &policypb.AttrConstraint{Key: key, Value: value, Condition: policypb.AttrMatch_EQUAL})
		}
	}
	return &policypb.Rule{Action: policypb.PolicyAction_ALLOW, Selector: selector}
}

// nowhere is where nobody listens. An engine that has a file or a tree in its cache goes by
// its digest, and doesn't look there.
const nowhere = "http://127.0.0.1:9/offline/"

// place has a source come from the vendored blobs where they have it, and from nowhere
// where that would be the network.
func (s Sources) place(source *pb.SourceOp) {
	checksum, commit := source.Attrs[pb.AttrHTTPChecksum], source.Attrs[pb.AttrGitChecksum]
	_, rest, _ := strings.Cut(source.Identifier, "://")
	blob, isVendored := s.Vendored[cmp.Or(checksum, commit)]
	switch {
	case checksum != "" && isVendored:
		source.Identifier = blob
	case checksum != "" && s.Offline:
		source.Identifier = nowhere + rest
	case commit != "" && isVendored:
		source.Attrs[pb.AttrGitBundle] = blob
	case commit != "" && s.Offline:
		source.Identifier = "git://" + strings.TrimPrefix(nowhere, "http://") + rest
		source.Attrs[pb.AttrFullRemoteURL] = nowhere + strings.TrimSuffix(rest, "#"+commit)
	}
	if isVendored && s.Store != nil {
		source.Attrs[pb.AttrOCILayoutStoreID] = llb.VendorStore
	}
}

// apply has graphs come from where their sources are placed, and returns the policy that
// holds an engine to them.
func (s *Sources) apply(ctx context.Context, platform ocispec.Platform, graphs ...*bkllb.Definition) (*policypb.Policy, error) {
	if s == nil {
		return nil, nil
	}
	for _, def := range graphs {
		if err := s.redirect(def); err != nil {
			return nil, err
		}
	}
	return s.policy(ctx, platform)
}

// stores are those that a solve gives to an engine.
func (s *Sources) stores(packed, models content.Store) map[string]content.Store {
	stores := llb.Stores(packed, models)
	if s != nil && s.Store != nil {
		stores[llb.VendorStore] = s.Store
	}
	return stores
}

// redirect has the sources of a graph come from where they are placed. What is made of
// them stays what it is.
func (s Sources) redirect(def *bkllb.Definition) error {
	if !s.Offline && len(s.Vendored) == 0 {
		return nil
	}
	moved := map[string]string{}
	for i, data := range def.Def { // inputs come first
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return fmt.Errorf("reading the graph: %w", err)
		}
		if source := op.GetSource(); source != nil {
			s.place(source)
		}
		for _, in := range op.Inputs {
			in.Digest = cmp.Or(moved[in.Digest], in.Digest)
		}
		changed, err := proto.MarshalOptions{Deterministic: true}.Marshal(&op)
		if err != nil {
			return fmt.Errorf("writing the graph: %w", err)
		}
		before, after := digest.FromBytes(data), digest.FromBytes(changed)
		if before == after {
			continue
		}
		moved[before.String()] = after.String()
		def.Def[i], def.Metadata[after] = changed, def.Metadata[before]
		delete(def.Metadata, before)
	}
	return nil
}

// isNowhere says whether a step of a graph looks for its source where nobody listens.
func isNowhere(def *bkllb.Definition, id digest.Digest) bool {
	source := sourceOf(def, id)
	return strings.HasPrefix(source.GetIdentifier(), nowhere) || strings.HasPrefix(source.GetAttrs()[pb.AttrFullRemoteURL], nowhere)
}

// ErrMissing says that an engine would have had to use the network for a source.
var ErrMissing = errors.New("the engine doesn't have it, and nothing may come over the network")

// check finds out that an engine can't go by the sources.
func (s *Sources) check(caps apicaps.CapSet) error {
	if s == nil {
		return nil
	}
	if caps.Supports(pb.CapSourcePolicy) != nil {
		err := failure.New(failure.NoEngine, errors.New("the engine knows no source policies, so that nothing keeps it from fetching what the lock doesn't name"))
		return failure.WithHint(err, "update its BuildKit, or leave it to Lamina to start one")
	}
	if len(s.Vendored) > 0 && (caps.Supports(pb.CapSourceImageBlob) != nil || caps.Supports(pb.CapSourceGitBundle) != nil) {
		err := failure.New(failure.NoEngine, errors.New("the engine can't take single files from here, so that it can't build from vendored sources"))
		return failure.WithHint(err, "update its BuildKit, or leave it to Lamina to start one")
	}
	return nil
}

// refused is what an engine says of a source that its policy denies.
var refused = regexp.MustCompile(`source ("(?:[^"\\]|\\.)*") denied by policy`)

// denied words that a graph has a source which nothing names, or which offline nobody can have.
func (s *Sources) denied(err error) error {
	if err == nil || s == nil {
		return err
	}
	m := refused.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	source, unquoteErr := strconv.Unquote(m[1])
	if unquoteErr != nil {
		source = m[1]
	}
	if s.Offline && strings.HasPrefix(source, "docker-image") {
		return fmt.Errorf("%s: %w: %w", source, ErrMissing, err)
	}
	err = failure.New(failure.Findings, &worded{fmt.Sprintf("the engine may not fetch %s: neither the lock nor the spec names it with its digest", source), err})
	return failure.WithHint(err, "a program that draws it itself says so by Allow of lamina.Build")
}
