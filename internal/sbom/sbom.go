// Package sbom describes what an image is made of, in SPDX 2.3 and CycloneDX 1.6.
//
// All of it is known before the build: the lock names each package with its digest. So a
// bill depends only on the input of the image and on its digest, and the same input gives
// the same bytes.
package sbom

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	packageurl "github.com/package-url/packageurl-go"

	"lamina.build/lock"
	"lamina.build/stages"
)

// Kind is the origin of a component.
type Kind string

// The kinds of components.
const (
	Debian  Kind = "debian"  // a .deb that dpkg installed
	Python  Kind = "python"  // a distribution that uv installed
	Git     Kind = "git"     // the tree of a commit
	Source  Kind = "source"  // a Python source tree of the project, compiled
	App     Kind = "app"     // the project's own files
	Weights Kind = "weights" // a model
	File    Kind = "file"    // a file of a model
)

// Component is a named part of an image.
type Component struct {
	Kind    Kind
	Name    string
	Version string        // "" if none
	License string        // SPDX expression of the declared license; "" if unknown
	PURL    string        // https://github.com/package-url/purl-spec; "" for a file
	SHA256  string        // hexadecimal, of the file that was fetched; "" for a tree
	Size    int64         // bytes of that file; 0 if unknown
	URL     string        // locked URL, without a login; "" for local files
	File    string        // name of that file
	Path    string        // path in the image; "" for packages, which have many
	DiffID  digest.Digest // of the tar of a local tree
	Parts   []Component
}

// Bill is everything that an image is made of.
type Bill struct {
	Name       string // of the image
	Version    string
	Variant    string
	Manifest   digest.Digest
	Created    time.Time
	Components []Component // by kind, sorted
}

// Of returns the bill of an image with a manifest. without are the optional projects that
// could not be built.
func Of(in stages.Input, manifest digest.Digest, without []string) Bill {
	b := Bill{
		Name: in.Name, Version: in.Version, Variant: in.Variant,
		Manifest: manifest, Created: in.Lock.Created().UTC(),
	}
	b.Components = packages(in, lock.SetRuntime, lock.SetExtra)
	for _, d := range in.Lock.PythonIn(in.Variant) {
		if !slices.Contains(without, d.Name) {
			b.Components = append(b.Components, ofDistribution(d))
		}
	}
	b.Components = append(b.Components, others(in)...)
	return b
}

// Sources returns everything that an image is made from, without duplicates, including what
// compiles and installs and is not in it.
func Sources(in stages.Input) []Component {
	list := packages(in, lock.SetBootstrap, lock.SetBase, lock.SetBuilder, lock.SetRuntime, lock.SetExtra)
	installed := in.Lock.PythonIn(in.Variant)
	distributions := slices.Clone(installed)
	for _, d := range installed {
		distributions = append(distributions, in.Lock.BuildIn(d.Name, in.Variant)...)
	}
	for _, s := range in.Sources {
		distributions = append(distributions, in.Lock.BuildIn(s.Project, in.Variant)...)
	}
	if len(distributions) > 0 && in.Lock.UV.SHA256 != "" {
		distributions = append(distributions, in.Lock.UV.Wheel())
	}
	seen := map[string]bool{}
	for _, d := range distributions {
		if c := ofDistribution(d); !seen[c.PURL] {
			seen[c.PURL], list = true, append(list, c)
		}
	}
	return append(list, others(in)...)
}

// packages returns the Debian packages in sets of the variant, sorted, without duplicates.
func packages(in stages.Input, sets ...lock.Kind) (list []Component) {
	from := origins(in.Lock)
	for _, kind := range sets {
		for _, p := range in.Lock.In(kind, in.Variant) {
			list = append(list, ofPackage(p, from[p.Repository]))
		}
	}
	slices.SortFunc(list, func(a, b Component) int { return strings.Compare(a.PURL, b.PURL) })
	return slices.CompactFunc(list, func(a, b Component) bool { return a.PURL == b.PURL })
}

// others returns the trees, the models and the app.
func others(in stages.Input) (list []Component) {
	for _, s := range in.Sources {
		list = append(list, ofSource(s, in.Licenses))
	}
	for _, t := range in.Trees {
		c := ofTree(t.Remote, t.Commit, t.Subdir)
		c.Path = t.Path
		list = append(list, c)
	}
	for _, m := range in.Models {
		if len(m.Weights) > 0 {
			list = append(list, ofModel(m))
		}
	}
	if in.App != nil && in.App.Layer.DiffID != "" {
		list = append(list, Component{
			Kind: App, Name: in.Name, Version: in.Version, License: in.Licenses, Path: in.App.Path, DiffID: in.App.Layer.DiffID,
			PURL: purl(packageurl.TypeGeneric, "", in.Name, in.Version, "checksum", in.App.Layer.DiffID.String()),
		})
	}
	return list
}

// origin is where packages come from, in the terms of package URLs.
type origin struct {
	vendor     string // "debian", "ubuntu", or any other publisher
	suite      string // of a distribution; "" for an additional repository
	repository string // URL; "" for Debian's own
}

// origins returns those of the repositories of a lock, by name.
func origins(l lock.Lock) map[string]origin {
	from := map[string]origin{}
	for _, r := range l.Releases { // sorted: "bookworm" is before "bookworm-updates"
		i := slices.IndexFunc(l.Repositories, func(further lock.Repository) bool { return further.Name == r.Repository })
		vendor, _, _ := strings.Cut(strings.ToLower(r.Origin), " ") // "Debian Backports"
		o := origin{vendor: vendor, suite: r.Suite}
		switch _, known := from[r.Repository]; {
		case known:
			continue
		case i < 0:
			o.vendor = "debian"
		case vendor != "debian" && vendor != "ubuntu" || strings.HasSuffix(r.Suite, "/"):
			o.vendor, o.suite = cmp.Or(strings.Join(strings.Fields(strings.ToLower(r.Origin)), "-"), r.Repository), ""
		}
		if i >= 0 {
			o.repository = l.Repositories[i].URL
		}
		from[r.Repository] = o
	}
	if own := from["debian"]; own.suite != "" { // one name for all of its suites
		security := from["debian-security"]
		security.vendor, security.suite = own.vendor, own.suite
		from["debian-security"] = security
	}
	return from
}

// ofPackage sets no license: only the .deb has a copyright file, which a lock doesn't
// read, and an image whose layers are cached is never unpacked.
func ofPackage(p lock.Package, from origin) Component {
	return Component{
		Kind: Debian, Name: p.Name, Version: p.Version, SHA256: p.SHA256, Size: p.Size, File: p.FileName(),
		PURL: purl(packageurl.TypeDebian, cmp.Or(from.vendor, "debian"), p.Name, p.Version,
			"arch", p.Architecture, "distro", from.suite, "repository_url", from.repository),
	}
}

func ofDistribution(d lock.Distribution) Component {
	c := Component{Kind: Python, Name: d.Name, Version: d.Version, License: d.License, SHA256: d.SHA256, Size: d.Size, File: d.File}
	qualifiers := []string{"file_name", d.File}
	if remote, commit, _, ok := d.Git(); ok {
		c.URL, qualifiers = "git+"+remote+"@"+commit, []string{"vcs_url", "git+" + remote + "@" + commit}
	} else if _, local := d.Local(); !local {
		c.URL, _ = d.Archive()
	}
	c.PURL = purl(packageurl.TypePyPi, "", d.Name, d.Version, qualifiers...)
	return c
}

// ofSource uses the name in pip and importlib.metadata.
func ofSource(s stages.Source, licenses string) Component {
	name := lock.NormalName(cmp.Or(s.Distribution, s.Project))
	return Component{
		Kind: Source, Name: name, Version: s.Version, License: licenses, DiffID: s.Layer.DiffID,
		PURL: purl(packageurl.TypeGeneric, "", name, s.Version, "checksum", s.Layer.DiffID.String()),
	}
}

func ofTree(remote, commit, subdirectory string) Component {
	u, err := url.Parse(remote)
	name := strings.TrimSuffix(path.Base(remote), ".git")
	c := Component{Kind: Git, Name: name, Version: commit, URL: "git+" + remote + "@" + commit}
	if err == nil && u.Hostname() == "github.com" && strings.Count(strings.Trim(u.Path, "/"), "/") == 1 {
		p := packageurl.NewPackageURL(packageurl.TypeGithub, strings.ToLower(path.Dir(strings.Trim(u.Path, "/"))), strings.ToLower(name), commit, nil, subdirectory)
		c.PURL = p.ToString()
		return c
	}
	p := packageurl.NewPackageURL(packageurl.TypeGeneric, "", name, commit, packageurl.QualifiersFromMap(map[string]string{"vcs_url": c.URL}), subdirectory)
	c.PURL = p.ToString()
	return c
}

// ofModel returns a model with its files as parts. For a directory next to the spec, only the
// layers have digests, those of their tars.
func ofModel(m stages.Model) Component {
	c := Component{Kind: Weights, Name: cmp.Or(m.Name, path.Base(m.Path)), Path: m.Path}
	if m.Locked == nil {
		layers := m.Layers()
		sums := make([]string, len(layers))
		for i, l := range layers {
			sums[i] = l.DiffID.String()
			for _, p := range l.Paths {
				if !strings.HasSuffix(p, "/") {
					c.Parts = append(c.Parts, Component{Kind: File, Name: path.Base(p), Path: p, DiffID: l.DiffID})
				}
			}
		}
		c.PURL = purl(packageurl.TypeGeneric, "", c.Name, "", "checksum", strings.Join(sums, ","))
		return c
	}
	l := m.Locked
	c.Name, c.Version, c.License = l.Name(), cmp.Or(l.Commit, l.Digest), l.License
	for _, f := range l.Files {
		at := path.Join(l.Path, l.Target(f.Path))
		c.Parts = append(c.Parts, Component{Kind: File, Name: f.Path, Path: at, SHA256: f.SHA256, Size: f.Size, URL: f.URL})
	}
	if repository, _, ok := l.Repository(); ok {
		c.URL = "https://huggingface.co/" + repository + "/tree/" + l.Commit
		c.PURL = purl(packageurl.TypeHuggingface, path.Dir(repository), path.Base(repository), l.Commit)
		return c
	}
	c.URL = l.From
	c.PURL = purl(packageurl.TypeGeneric, "", c.Name, c.Version, "download_url", l.From)
	return c
}

// purl formats a package URL; qualifiers are keys and values, of which empty ones are omitted.
func purl(kind, namespace, name, version string, qualifiers ...string) string {
	named := map[string]string{}
	for pair := range slices.Chunk(qualifiers, 2) {
		if pair[1] != "" {
			named[pair[0]] = pair[1]
		}
	}
	return packageurl.NewPackageURL(kind, namespace, name, version, packageurl.QualifiersFromMap(named), "").ToString()
}

// namespace returns an address that no other bill has: that of the image.
func (b Bill) namespace(kind string) string {
	return "https://lamina.build/" + kind + "/" + url.PathEscape(b.Name) + "/" + b.Manifest.Encoded()
}

// walk calls f for each component and then for its parts.
func (b Bill) walk(f func(c, parent *Component)) {
	for i := range b.Components {
		c := &b.Components[i]
		f(c, nil)
		for k := range c.Parts {
			f(&c.Parts[k], c)
		}
	}
}
