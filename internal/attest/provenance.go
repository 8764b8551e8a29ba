package attest

import (
	"cmp"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/sbom"
	"lamina.build/lock"
	"lamina.build/stages"
)

// buildType defines the parameters of a provenance: README.md, "Provenance".
const buildType = "https://lamina.build/provenance/image/v1"

// builderID is the builder unless a CI service names one.
const builderID = "https://lamina.build"

// Run is the part of a build that the image doesn't show.
type Run struct {
	Lock       digest.Digest // of the image.lock, which may have other platforms, too
	Smoke      stages.Level
	Builder    string // URI of the CI service's workflow; "" if none
	Invocation string // URI of its run; "" if none
	Lamina     string // version
	Engine     string // "BuildKit v0.34.2"
	Source     Source
	LeftOut    []string        // optional projects that could not be built
	Materials  []lock.Material // what the resolve read to decide
	Documents  []Resource
}

// Source is the git commit that a project was built from; the zero value if there is none.
type Source struct {
	URL    string // "https://github.com/acme/faceblend", without a login; "" if unknown
	Commit string
	Dirty  bool // tracked files differ from the commit
}

// Resource returns the commit as a resource.
func (s Source) Resource() Resource {
	r := Resource{Name: "source", Digest: map[string]string{"gitCommit": s.Commit}}
	if s.URL != "" {
		r.URI = "git+" + s.URL
	}
	if s.Dirty {
		r.Annotations = map[string]any{"dirty": true}
	}
	return r
}

type provenance struct {
	BuildDefinition struct {
		BuildType            string     `json:"buildType"`
		ExternalParameters   external   `json:"externalParameters"`
		InternalParameters   internal   `json:"internalParameters"`
		ResolvedDependencies []Resource `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder    builder    `json:"builder"`
		Metadata   *metadata  `json:"metadata,omitempty"`
		Byproducts []Resource `json:"byproducts,omitempty"`
	} `json:"runDetails"`
}

type external struct {
	Source   *Resource         `json:"source,omitempty"`
	Name     string            `json:"name"`
	Version  string            `json:"version,omitempty"`
	Variant  string            `json:"variant"`
	Platform string            `json:"platform"`
	Labels   map[string]string `json:"labels,omitempty"`
	Lock     Resource          `json:"lock"`
}

type internal struct {
	Smoke   stages.Level `json:"smoke"`
	Network string       `json:"network"`           // of all steps
	LeftOut []string     `json:"leftOut,omitempty"` // optional projects
}

type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

type metadata struct {
	InvocationID string `json:"invocationId"`
}

// Provenance describes how an image was built: https://slsa.dev/spec/v1.0/provenance. It is
// the same for the same build, so it has no time.
func Provenance(in stages.Input, image digest.Digest, r Run) ([]byte, error) {
	var p provenance
	d := &p.BuildDefinition
	d.BuildType = buildType
	d.ExternalParameters = external{
		Name: in.Name, Version: in.Version, Variant: in.Variant, Platform: in.Lock.Platform, Labels: in.Labels,
		Lock: Of("image.lock", "", r.Lock),
	}
	d.InternalParameters = internal{Smoke: r.Smoke, Network: "none", LeftOut: r.LeftOut}
	d.ResolvedDependencies = append(dependencies(in), materials(r.Materials)...)
	if r.Source.Commit != "" {
		source := r.Source.Resource()
		d.ExternalParameters.Source = &source
		d.ResolvedDependencies = append([]Resource{source}, d.ResolvedDependencies...)
	}
	p.RunDetails.Builder = builder{ID: cmp.Or(r.Builder, builderID), Version: map[string]string{"lamina": r.Lamina, "engine": r.Engine}}
	if r.Invocation != "" {
		p.RunDetails.Metadata = &metadata{r.Invocation}
	}
	p.RunDetails.Byproducts = r.Documents
	return write(subjects(image), ProvenanceV1, p)
}

// dependencies returns everything that the engine was given for an image, each by digest.
func dependencies(in stages.Input) (list []Resource) {
	for _, c := range sbom.Sources(in) {
		list = append(list, ofComponent(c)...)
	}
	if in.Tools.DiffID != "" {
		list = append(list, Of("tools", "", in.Tools.DiffID))
	}
	return list
}

// materials returns what a lock was made from, which no engine has seen.
func materials(list []lock.Material) (all []Resource) {
	for _, m := range list {
		r := Of("", m.URL, digest.NewDigestFromEncoded(digest.SHA256, m.SHA256))
		r.Annotations = map[string]any{"phase": "resolve"}
		all = append(all, r)
	}
	return all
}

func ofComponent(c sbom.Component) (list []Resource) {
	switch {
	case len(c.Parts) > 0:
		for _, f := range c.Parts {
			list = append(list, ofFile(c, f)...)
		}
		return list
	case strings.HasPrefix(c.URL, "git+"):
		commit := c.URL[strings.LastIndex(c.URL, "@")+1:]
		return []Resource{{Name: c.Name, URI: c.URL, Digest: map[string]string{"gitCommit": commit}}}
	case c.DiffID != "":
		return []Resource{Of(string(c.Kind)+" "+c.Name, "", c.DiffID)}
	default:
		return []Resource{Of(cmp.Or(c.File, c.Name), c.PURL, digest.NewDigestFromEncoded(digest.SHA256, c.SHA256))}
	}
}

// ofFile returns a file of a model. One in a directory next to the spec has the digest of its
// layer.
func ofFile(model, f sbom.Component) []Resource {
	name := path.Join(model.Name, f.Name)
	if f.SHA256 == "" {
		return []Resource{Of(name, "", f.DiffID)}
	}
	return []Resource{Of(name, cmp.Or(f.URL, model.PURL), digest.NewDigestFromEncoded(digest.SHA256, f.SHA256))}
}
