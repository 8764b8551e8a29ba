package lock

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is the purpose of a set of packages or distributions.
type Kind string

// The kinds of sets: of Debian packages, then of Python distributions.
const (
	SetBase      Kind = "base"      // the closure of the essential packages
	SetBootstrap Kind = "bootstrap" // unpacked by hand to assemble the base, never installed
	SetBuilder   Kind = "builder"   // base and the packages for compiling
	SetRuntime   Kind = "runtime"   // base and the packages of the image
	SetExtra     Kind = "extra"     // a variant's additions to runtime

	SetPython Kind = "python" // installed in the image
	SetBuild  Kind = "build:" // build requirements of the sdist or git tree of a project
)

// Set is what is installed together.
type Set struct {
	Kind    Kind   `toml:"-"` // a lock has the text of a set
	Project string `toml:"-"` // of SetBuild: normalised by PEP 503
	Variant string `toml:"-"` // that it belongs to; "" for the set of all variants without their own
}

// ParseSet reads a set as [Set.String] writes it. Invalid text gives a set of an unknown
// kind, which is never requested.
func ParseSet(text string) Set {
	kind, variant, _ := strings.Cut(text, "@")
	s := Set{Kind: Kind(kind), Variant: variant}
	if project, ok := strings.CutPrefix(kind, string(SetBuild)); ok {
		s.Kind, s.Project = SetBuild, project
	}
	if strings.HasSuffix(text, "@") {
		return Set{Kind: Kind(text)}
	}
	return s
}

// String returns s as a lock writes it: "runtime", "runtime@blackwell",
// "build:insightface@blackwell".
func (s Set) String() string {
	text := string(s.Kind) + s.Project
	if s.Variant != "" {
		text += "@" + s.Variant
	}
	return text
}

// UnmarshalText is [ParseSet] for decoders.
func (s *Set) UnmarshalText(text []byte) error {
	*s = ParseSet(string(text))
	return nil
}

// Compare orders sets by their text.
func (s Set) Compare(other Set) int { return cmp.Compare(s.String(), other.String()) }

// isPython distinguishes sets of distributions from those of packages.
func (k Kind) isPython() bool { return k == SetPython || k == SetBuild }

func (k Kind) isDebian() bool {
	return slices.Contains([]Kind{SetBase, SetBootstrap, SetBuilder, SetRuntime, SetExtra}, k)
}
