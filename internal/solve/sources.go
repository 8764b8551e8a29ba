package solve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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

// Sources say what an engine may fetch, and from where. The zero value allows nothing.
type Sources struct {
	Named    []llb.State       // made from what may be fetched, each source by its digest
	Vendored map[string]string // identifiers of blobs, as of [llb.Vendored], by the SHA-256 of a file or the commit of a git tree
	Store    content.Store     // of those on the client; nil for none
	// Submodules are those of vendored git trees, by the commit of the tree, which are vendored, too.
	Submodules map[string][]llb.Submodule
	Secrets    map[string]string // IDs of secrets with logins, by the addresses of files that need another than their host's
	Offline    bool              // the network may not be used
}

// policy lets an engine fetch the named sources, each with its digest, and nothing else: the
// engine itself denies whatever else a graph contains.
func (s Sources) policy(ctx context.Context, platform ocispec.Platform) (*policypb.Policy, error) {
	// The last matching rule wins.
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

// allow matches a source with its digest. Images and blobs have it in their names.
func allow(source *pb.SourceOp) *policypb.Rule {
	selector := &policypb.Selector{Identifier: source.Identifier, MatchType: policypb.MatchType_EXACT}
	// A git tree is fetched from its full URL, whatever its name is.
	for _, key := range []string{pb.AttrHTTPChecksum, pb.AttrGitChecksum, pb.AttrFullRemoteURL, pb.AttrGitBundle} {
		if value, ok := source.Attrs[key]; ok {
			selector.Constraints = append(selector.Constraints, &policypb.AttrConstraint{Key: key, Value: value, Condition: policypb.AttrMatch_EQUAL})
		}
	}
	return &policypb.Rule{Action: policypb.PolicyAction_ALLOW, Selector: selector}
}

// nowhere is an address where nobody listens. An engine that has a file or a tree in its
// cache finds it by its digest and doesn't connect.
const nowhere = "http://127.0.0.1:9/offline/"

// place makes a source come from the vendored blobs if they have it, and from nowhere if it
// needed the network. A file that needs a login of its own gets it.
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
	case s.Secrets[source.Identifier] != "":
		source.Attrs[pb.AttrHTTPAuthHeaderSecret] = s.Secrets[source.Identifier]
	}
	if isVendored && s.Store != nil {
		source.Attrs[pb.AttrOCILayoutStoreID] = llb.VendorStore
	}
}

// apply redirects the sources of graphs to their places, and returns the policy that
// restricts an engine to them.
func (s *Sources) apply(ctx context.Context, platform ocispec.Platform, graphs ...*bkllb.Definition) (*policypb.Policy, error) {
	if s == nil {
		return nil, nil
	}
	for _, def := range graphs {
		if err := s.redirect(ctx, platform, def); err != nil {
			return nil, err
		}
	}
	return s.policy(ctx, platform)
}

// stores returns the stores that a solve gives to an engine.
func (s *Sources) stores(packed, models content.Store) map[string]content.Store {
	stores := llb.Stores(packed, models)
	if s != nil && s.Store != nil {
		stores[llb.VendorStore] = s.Store
	}
	return stores
}

// redirect redirects the sources of a graph to their places. The results of the graph stay
// the same.
func (s Sources) redirect(ctx context.Context, platform ocispec.Platform, def *bkllb.Definition) error {
	if !s.Offline && len(s.Vendored) == 0 && len(s.Secrets) == 0 {
		return nil
	}
	moved := map[string]string{}
	all := def.Def
	def.Def = nil
	for _, data := range all { // inputs come first
		parts, err := s.parts(ctx, platform, data)
		if err != nil {
			return err
		}
		id := digest.FromBytes(data)
		if parts == nil {
			err = s.move(def, data, moved)
		} else {
			maps.Copy(def.Metadata, parts.Metadata)
			delete(def.Metadata, id)
		}
		for i := 0; parts != nil && err == nil && i < len(parts.Def)-1; i++ { // the last one only names the result
			err = s.move(def, parts.Def[i], moved)
			moved[id.String()] = digest.FromBytes(def.Def[len(def.Def)-1]).String()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parts returns the graph that makes a vendored git tree with submodules, which a bundle
// doesn't have; nil if the operation is something else.
func (s Sources) parts(ctx context.Context, platform ocispec.Platform, data []byte) (*bkllb.Definition, error) {
	var op pb.Op
	if err := op.UnmarshalVT(data); err != nil {
		return nil, fmt.Errorf("reading the graph: %w", err)
	}
	attrs := op.GetSource().GetAttrs()
	commit := attrs[pb.AttrGitChecksum]
	if len(s.Submodules[commit]) == 0 || attrs[pb.AttrGitSkipSubmodules] != "" {
		return nil, nil
	}
	return llb.Marshal(ctx, llb.GitOf(attrs[pb.AttrFullRemoteURL], commit, func(commit string) []llb.Submodule { return s.Submodules[commit] }), platform)
}

// move adds an operation to a graph, with its sources in their places.
func (s Sources) move(def *bkllb.Definition, data []byte, moved map[string]string) error {
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
	if before, after := digest.FromBytes(data), digest.FromBytes(changed); before != after {
		moved[before.String()] = after.String()
		if meta, ok := def.Metadata[before]; ok { // else an equal one has moved
			def.Metadata[after] = meta
			delete(def.Metadata, before)
		}
		data = changed
	}
	def.Def = append(def.Def, data)
	return nil
}

// isNowhere reports whether a step of a graph has its source at nowhere.
func isNowhere(def *bkllb.Definition, id digest.Digest) bool {
	source := sourceOf(def, id)
	return strings.HasPrefix(source.GetIdentifier(), nowhere) || strings.HasPrefix(source.GetAttrs()[pb.AttrFullRemoteURL], nowhere)
}

// ErrMissing means that an engine would have needed the network for a source.
var ErrMissing = errors.New("the engine doesn't have it, and the network may not be used")

// check reports an error if an engine doesn't support the sources.
func (s *Sources) check(caps apicaps.CapSet) error {
	if s == nil {
		return nil
	}
	if caps.Supports(pb.CapSourcePolicy) != nil {
		err := failure.New(failure.NoEngine, errors.New("the engine does not support source policies, so nothing keeps it from fetching what the lock doesn't name"))
		return failure.WithHint(err, "update its BuildKit, or let Lamina start an engine")
	}
	if len(s.Vendored) > 0 && (caps.Supports(pb.CapSourceImageBlob) != nil || caps.Supports(pb.CapSourceGitBundle) != nil) {
		err := failure.New(failure.NoEngine, errors.New("the engine can't read single files from this machine, so it can't build from vendored sources"))
		return failure.WithHint(err, "update its BuildKit, or let Lamina start an engine")
	}
	return nil
}

// refused matches an engine's error about a source that its policy denies.
var refused = regexp.MustCompile(`source ("(?:[^"\\]|\\.)*") denied by policy`)

// denied explains that a graph has a source which nothing names, or which is not available offline.
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
	return failure.WithHint(err, "a program that draws it itself must add it to Allow of lamina.Build")
}
