package lock

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/pelletier/go-toml/v2"
)

// What is wrong with the text of a lock.
var (
	// ErrVersion is returned for a lock of a format that this package doesn't know.
	ErrVersion = errors.New("unknown lock version")
	// ErrOld is returned for a lock of an earlier format, which [ParseOld] reads.
	ErrOld = errors.New("the lock has an earlier format")
	// ErrEdited is returned for a lock that does not match its own digest:
	// truncated, merged or edited by hand.
	ErrEdited = errors.New("lock was changed after it was written")
)

// Parse reads an image.lock as [Lock.Format] writes it. name is used in errors,
// which begin with "name:line:column: " where a line is known. The faults of
// all entries are reported at once. Errors match [ErrVersion], [ErrOld] or
// [ErrEdited] where those apply.
func Parse(name string, data []byte) (Lock, error) {
	l, version, err := parse(name, data)
	if err == nil && version < Version {
		return Lock{}, fmt.Errorf("%s: %w: %d, this program builds from %d", name, ErrOld, version, Version)
	}
	return l, err
}

// ParseOld is [Parse] of a lock of any format so far, for its versions: a lock
// that is made anew keeps them. Nothing can be built from what an earlier format
// does not say.
func ParseOld(name string, data []byte) (Lock, error) {
	l, _, err := parse(name, data)
	return l, err
}

func parse(name string, data []byte) (l Lock, version int, err error) {
	var head struct{ Version int }
	if err := toml.Unmarshal(data, &head); err != nil {
		return Lock{}, 0, located(name, err)
	}
	if head.Version < 1 || head.Version > Version {
		return Lock{}, 0, fmt.Errorf("%s: %w: %d, this program reads %d", name, ErrVersion, head.Version, Version)
	}
	if !intact(data) {
		return Lock{}, 0, fmt.Errorf("%s: %w", name, ErrEdited)
	}
	var f file
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Lock{}, 0, located(name, err)
	}
	l = f.lock()
	faults := []error{l.check()}
	if head.Version > 1 {
		faults = append(faults, l.checkUV())
	}
	if err := errors.Join(faults...); err != nil {
		return Lock{}, 0, fmt.Errorf("%s: %w", name, err)
	}
	return l, head.Version, nil
}

// intact says whether the text is what Format wrote: the digest line is right
// for what follows it.
func intact(data []byte) bool {
	rest, ok := strings.CutPrefix(string(data), header)
	if !ok {
		return false
	}
	line, body, _ := strings.Cut(rest, "\n")
	return line == fmt.Sprintf("digest   = %q", digest.FromString(body))
}

// located puts the position that the TOML reader knows in front of its error.
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

// file mirrors the text, so that the domain types stay free of tags.
type file struct {
	Digest   string `toml:"digest"`
	Version  int    `toml:"version"`
	Platform string `toml:"platform"`
	Debian   struct {
		Suites       []string         `toml:"suites"`
		Components   []string         `toml:"components"`
		Repositories []fileRepository `toml:"repositories"`
		Requests     []fileRequest    `toml:"requests"`
		Releases     []fileRelease    `toml:"releases"`
		Packages     []filePackage    `toml:"packages"`
	} `toml:"debian"`
	Python struct {
		UV            fileUV              `toml:"uv"`
		Requests      []filePythonRequest `toml:"requests"`
		Omitted       []fileOmission      `toml:"omitted"`
		Distributions []fileDistribution  `toml:"distributions"`
	} `toml:"python"`
	Models []fileModel `toml:"model"`
}

type filePythonRequest struct {
	Set   Set      `toml:"set"`
	Lines []string `toml:"lines"`
}

type fileUV struct {
	Version string `toml:"version"`
	File    string `toml:"file"`
	URL     string `toml:"url"`
	Size    int64  `toml:"size"`
	SHA256  string `toml:"sha256"`
}

type fileOmission struct {
	Set         Set    `toml:"set"`
	Requirement string `toml:"requirement"`
	Reason      string `toml:"reason"`
}

type fileDistribution struct {
	Name     string   `toml:"name"`
	Version  string   `toml:"version"`
	File     string   `toml:"file"`
	URL      string   `toml:"url"`
	Size     int64    `toml:"size"`
	SHA256   string   `toml:"sha256"`
	Unpacked int64    `toml:"unpacked"`
	Index    string   `toml:"index"`
	Top      []string `toml:"top"`
	For      []Set    `toml:"for"`
}

type fileRepository struct {
	Name       string        `toml:"name"`
	URL        string        `toml:"url"`
	Suite      string        `toml:"suite"`
	Components []string      `toml:"components"`
	Key        digest.Digest `toml:"key"`
}

type fileRequest struct {
	Set      Set      `toml:"set"`
	Packages []string `toml:"packages"`
}

type fileRelease struct {
	Repository string    `toml:"repository"`
	Suite      string    `toml:"suite"`
	Date       time.Time `toml:"date"`
	SHA256     string    `toml:"sha256"`
	Signers    []string  `toml:"signers"`
}

type filePackage struct {
	Name         string `toml:"name"`
	Version      string `toml:"version"`
	Architecture string `toml:"arch"`
	Repository   string `toml:"repository"`
	Size         int64  `toml:"size"`
	SHA256       string `toml:"sha256"`
	Path         string `toml:"path"`
	For          []Set  `toml:"for"`
}

func (f file) lock() Lock {
	return Lock{
		Wishes: Wishes{
			Platform:     f.Platform,
			Suites:       f.Debian.Suites,
			Components:   f.Debian.Components,
			Repositories: each(f.Debian.Repositories, func(r fileRepository) Repository { return Repository(r) }),
			Requests:     each(f.Debian.Requests, func(r fileRequest) Request { return Request(r) }),
			Python:       each(f.Python.Requests, func(r filePythonRequest) PythonRequest { return PythonRequest(r) }),
			Weights:      each(f.Models, fileModel.request),
		},
		Releases: each(f.Debian.Releases, func(r fileRelease) Release {
			r.Date = r.Date.UTC()
			return Release(r)
		}),
		Packages:      each(f.Debian.Packages, filePackage.entry),
		Distributions: each(f.Python.Distributions, func(d fileDistribution) Distribution { return Distribution(d) }),
		UV:            UV(f.Python.UV),
		Omitted:       each(f.Python.Omitted, func(o fileOmission) Omission { return Omission(o) }),
		Models:        each(f.Models, fileModel.model),
	}
}

func (p filePackage) entry() Package {
	return Package{
		Name: p.Name, Version: p.Version, Architecture: p.Architecture, Repository: p.Repository,
		Path: p.Path, Size: p.Size, SHA256: p.SHA256, For: p.For,
	}
}

func each[A, B any](list []A, convert func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}
