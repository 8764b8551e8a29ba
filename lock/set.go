package lock

import (
	"cmp"
	"strings"
)

// Kind says what a set of packages or distributions is for.
type Kind string

// The kinds of sets: of Debian packages, then of Python distributions.
const (
	SetBase      Kind = "base"      // the closure of the essential packages
	SetBootstrap Kind = "bootstrap" // unpacked by hand to assemble the base, never installed
	SetBuilder   Kind = "builder"   // base and what compiles
	SetRuntime   Kind = "runtime"   // base and what runs
	SetExtra     Kind = "extra"     // what a variant adds on top of runtime

	SetPython Kind = "python" // what the image installs
	SetBuild  Kind = "build:" // what the sdist or git tree of a project is built with
)

// Set is what is installed together.
type Set struct {
	Kind    Kind
	Project string // of SetBuild: normalised by PEP 503
	Variant string // whose own it is; "" for what all variants without one of their own share
}

// ParseSet reads a set as [Set.String] writes it. Text that is none is a set
// of an unknown kind, which nobody asks for.
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

// String is how a lock writes s: "runtime", "runtime@blackwell",
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

// isPython tells sets of distributions from those of packages.
func (k Kind) isPython() bool { return k == SetPython || k == SetBuild }
