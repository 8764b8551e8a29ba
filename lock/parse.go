package lock

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	strict "lamina.build/internal/toml"
)

// Errors about the text of a lock.
var (
	// ErrVersion is returned for a lock of an unknown format.
	ErrVersion = errors.New("unknown lock version")
	// ErrOld is returned for a lock of an earlier format, which [Parse] reads nevertheless.
	ErrOld = errors.New("the lock has an earlier format")
	// ErrEdited is returned for a lock that doesn't match its own digest:
	// truncated, merged or edited by hand.
	ErrEdited = errors.New("lock was changed after it was written")
)

// Parse reads an image.lock as [Lock.Format] writes it. name is used in errors,
// which begin with "name:line:column: " if the line is known. The problems of
// all entries are reported at once. Errors match [ErrVersion], [ErrOld] or
// [ErrEdited] if these apply.
//
// A lock of an earlier format is returned with its error, for its versions, which a new
// lock keeps. It lacks information for a build.
func Parse(name string, data []byte) (Lock, error) {
	if err := strict.CheckDepth(name, data); err != nil {
		return Lock{}, err
	}
	var head struct{ Version int }
	if err := toml.Unmarshal(data, &head); err != nil {
		return Lock{}, located(name, err)
	}
	switch {
	case head.Version < 1 || head.Version > Version:
		return Lock{}, fmt.Errorf("%s: %w: %d, this program reads %d", name, ErrVersion, head.Version, Version)
	case !intact(data):
		return Lock{}, fmt.Errorf("%s: %w", name, ErrEdited)
	}
	var l Lock
	t := l.text()
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&t); err != nil {
		return Lock{}, located(name, err)
	}
	l.ModelRequests = each(l.Models, func(m Model) ModelRequest { return m.ModelRequest })
	for _, one := range l.Each() {
		for i, r := range one.Releases {
			one.Releases[i].Date = r.Date.UTC()
		}
	}
	if err := l.check(head.Version); err != nil {
		return Lock{}, fmt.Errorf("%s: %w", name, err)
	}
	if head.Version < Version {
		return l, fmt.Errorf("%s: %w: %d, this program builds from %d", name, ErrOld, head.Version, Version)
	}
	return l, nil
}

// intact reports whether the text is what Format wrote: the digest line matches the rest.
func intact(data []byte) bool {
	rest, ok := bytes.CutPrefix(data, []byte(header))
	line, body, _ := bytes.Cut(rest, []byte("\n"))
	return ok && string(line) == digestLine(body)
}

// located prefixes an error of the TOML reader with its position.
func located(name string, err error) error {
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		all := make([]error, 0, len(missing.Errors))
		for _, e := range missing.Errors {
			row, col := e.Position()
			all = append(all, fmt.Errorf("%s:%d:%d: unknown key %q", name, row, col, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	}
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, col := at.Position()
		return fmt.Errorf("%s:%d:%d: %w", name, row, col, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
