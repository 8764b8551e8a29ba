package requirements

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"lamina.build/internal/fault"
)

// indexOptions say where pip looks for projects.
func indexOptions() []option {
	return []option{
		{long: "--index-url", short: "-i", apply: (*reader).index},
		{long: "--extra-index-url", apply: (*reader).extraIndex},
		{long: "--no-index", flag: true, apply: func(r *reader, _ line, _ string) error {
			r.set.NoIndex = true
			return nil
		}},
		{long: "--find-links", short: "-f", apply: (*reader).findLinks},
	}
}

func (r *reader) index(_ line, value string) error {
	address, err := indexURL(value)
	r.set.IndexURL = address
	return about("--index-url", err)
}

func (r *reader) extraIndex(_ line, value string) error {
	address, err := indexURL(value)
	r.set.ExtraIndexURLs = with(r.set.ExtraIndexURLs, address)
	return about("--extra-index-url", err)
}

// indexURL checks the root of a PEP 503 index, which needs no slash behind it.
func indexURL(s string) (string, error) {
	if !hasScheme(s) {
		return "", fault.WithHint(fmt.Errorf("%s is not a URL", quote(s)), "a folder of wheels is for --find-links")
	}
	address, err := webURL(s)
	switch {
	case err != nil:
		return "", err
	case strings.ContainsAny(address, "?#"):
		return "", fmt.Errorf("%s has a query or fragment, want a plain address", quote(address))
	}
	return strings.TrimRight(address, "/"), nil
}

func (r *reader) findLinks(l line, value string) error {
	place, err := r.links(l, value)
	r.set.FindLinks = with(r.set.FindLinks, place)
	return about("--find-links", err)
}

// links finds a page or folder of links. As in pip, a path is one from the
// folder of the file, or else from where pip runs, which is the root.
func (r *reader) links(l line, value string) (string, error) {
	value, isFile := cutFileScheme(value)
	if !isFile && hasScheme(value) {
		address, err := webURL(value)
		if err == nil && strings.Contains(address, "#") {
			err = fmt.Errorf("%s has a fragment, want a plain address", quote(address))
		}
		return address, err
	}
	var found error
	for _, folder := range []string{path.Dir(l.file), "."} {
		clean, err := plainLocal(folder, value)
		if err == nil {
			_, err = r.stat(clean)
		}
		if err == nil {
			return clean, nil
		}
		found = err // the one about the root is the last
	}
	return "", fmt.Errorf("%s %w", quote(value), found)
}

func (r *reader) stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(r.FS, name)
	if err != nil {
		return nil, explain(err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, errors.New("is neither a file nor a folder")
	}
	return info, nil
}

// with adds a word to a list that doesn't have it.
func with(list []string, word string) []string {
	if word == "" || slices.Contains(list, word) {
		return list
	}
	return append(list, word)
}

// about puts before an error which option it is about.
func about(option string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", option, err)
}
