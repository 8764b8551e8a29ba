package spec

import (
	"fmt"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// Format writes a value as the production variant of an image.toml, so that a spec made
// by a program is checked like a written one. Empty fields have their defaults; what
// [File.Variant] returned is read back unchanged but for its variant.
func (s Spec) Format() ([]byte, error) {
	type app struct {
		App

		User string `toml:"user,omitempty"`
	}
	type smoke struct {
		Smoke

		GPU map[string][][]string `toml:"gpu,omitempty"`
	}
	type repositories struct {
		Debian

		Suites          *[]string `toml:"suites,omitempty"`
		CheckValidUntil *bool     `toml:"check-valid-until,omitempty"`
	}
	type variant struct {
		Weights string   `toml:"weights,omitempty"`
		Extra   []string `toml:"extra-packages,omitempty"`
	}
	written := struct {
		Spec

		Debian  repositories       `toml:"debian,omitempty"`
		App     app                `toml:"app,omitempty"`
		Smoke   smoke              `toml:"smoke,omitempty"`
		Variant map[string]variant `toml:"variant,omitempty"`
	}{
		Spec: s, Debian: repositories{Debian: s.Debian}, Smoke: smoke{Smoke: s.Smoke},
		Variant: map[string]variant{Production: {s.Weights, s.Extra}},
	}
	if s.Debian.Suites != nil { // an empty list differs from the default
		written.Debian.Suites = &s.Debian.Suites
	}
	if s.Debian.IgnoreValidUntil {
		written.Debian.CheckValidUntil = new(bool)
	}
	usual := defaultPrune(s.Python.Compile)
	if p := &written.Python.Prune; len(*p) >= len(usual) && slices.Equal((*p)[:len(usual)], usual) {
		*p = (*p)[len(usual):]
	}
	if len(s.Smoke.GPU) > 0 {
		written.Smoke.GPU = map[string][][]string{"run": s.Smoke.GPU}
	}
	written.App.App = s.App
	if written.App.User = s.App.User.Name; s.App.User.UID != 0 {
		written.App.User = fmt.Sprintf("%s:%d", s.App.User.Name, s.App.User.UID)
	}
	text, err := toml.Marshal(written)
	if err != nil {
		return nil, fmt.Errorf("writing spec: %w", err)
	}
	return text, nil
}
