package door

import (
	"bytes"
	"net/url"

	"golang.org/x/net/html"
)

// parseHTML reads the links of a page (PEP 503, 592, 658 and 714). It takes
// what there is: pages are made by all kinds of programs.
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

// attributesOf are those of a tag. Of two with a name the first one counts.
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

// linked is the file that a link leads to.
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
