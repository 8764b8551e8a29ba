package door

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"

	"golang.org/x/net/html"
)

// parseHTML reads the links of a page (PEP 503, 592, 658 and 714). It is lenient, since all
// kinds of programs write pages.
func parseHTML(at *url.URL, data []byte) []File {
	var files []File
	base := at
	hasBase := false
	for z := html.NewTokenizer(bytes.NewReader(data)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return files
		case html.StartTagToken, html.SelfClosingTagToken:
			name, hasAttributes := z.TagName()
			isLink, isBase := string(name) == "a", string(name) == "base"
			if !hasAttributes || (!isLink && !isBase) {
				continue
			}
			attributes := attributesOf(z)
			if isBase && !hasBase {
				if u, err := at.Parse(attributes["href"]); err == nil && attributes["href"] != "" {
					base, hasBase = u, true
				}
				continue
			}
			if f, ok := linked(base, attributes); isLink && ok {
				files = append(files, f)
			}
		}
	}
}

// attributesOf returns the attributes of a tag. The first one of a name wins.
func attributesOf(z *html.Tokenizer) map[string]string {
	attributes := map[string]string{}
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, there := attributes[string(key)]; !there && len(key) > 0 {
			attributes[string(key)] = string(value)
		}
	}
	return attributes
}

// linked returns the file of a link.
func linked(base *url.URL, attributes map[string]string) (File, bool) {
	href, ok := attributes["href"]
	if !ok {
		return File{}, false
	}
	u, fragment, ok := resolve(base, href)
	if !ok || u.Path == "" || u.Path[len(u.Path)-1] == '/' {
		return File{}, false
	}
	f := File{
		URL: u.String(), Name: fileName(u), Hashes: hashesOf(fragment),
		RequiresPython: attributes["data-requires-python"],
	}
	f.YankedReason, f.Yanked = attributes["data-yanked"]
	for _, name := range []string{"data-core-metadata", "data-dist-info-metadata"} {
		if value, ok := attributes[name]; ok && value != "false" {
			f.HasMetadata, f.MetadataHashes = true, hashesOf(value)
			break
		}
	}
	return f, true
}

// simplePage is a page in JSON (PEP 691, 700 and 714).
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
