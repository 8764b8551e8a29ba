package door

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// simplePage is a page as JSON (PEP 691, 700 and 714).
type simplePage struct {
	Files []simpleFile `json:"files"`
}

type simpleFile struct {
	URL            string            `json:"url"`
	Filename       string            `json:"filename"`
	Hashes         map[string]string `json:"hashes"`
	Size           int64             `json:"size"`
	RequiresPython string            `json:"requires-python"`
	Yanked         flagOr[string]    `json:"yanked"`

	CoreMetadata     flagOr[map[string]string] `json:"core-metadata"`
	DistInfoMetadata flagOr[map[string]string] `json:"dist-info-metadata"`
}

// flagOr is false, true, or true with a value.
type flagOr[T any] struct {
	set   bool
	value T
}

func (f *flagOr[T]) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "null", "false":
		return nil
	case "true":
		f.set = true
		return nil
	}
	f.set = true
	return json.Unmarshal(data, &f.value)
}

func parseJSON(at *url.URL, data []byte) ([]File, error) {
	var p simplePage
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("reading its JSON: %w", err)
	}
	files := make([]File, 0, len(p.Files))
	for _, s := range p.Files {
		u, fragment, ok := resolve(at, s.URL)
		if !ok {
			continue
		}
		metadata := s.CoreMetadata
		if !metadata.set {
			metadata = s.DistInfoMetadata
		}
		f := File{
			URL: u.String(), Name: s.Filename, Size: max(s.Size, 0), RequiresPython: s.RequiresPython,
			Yanked: s.Yanked.set, YankedReason: s.Yanked.value, HasMetadata: metadata.set,
			Hashes: hashesOf(fragment),
		}
		if f.Name == "" {
			f.Name = fileName(u)
		}
		for name, value := range s.Hashes {
			f.Hashes = withHash(f.Hashes, name, value)
		}
		for name, value := range metadata.value {
			f.MetadataHashes = withHash(f.MetadataHashes, name, value)
		}
		files = append(files, f)
	}
	return files, nil
}
