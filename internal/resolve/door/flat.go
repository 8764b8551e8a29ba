package door

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// A flat page lists files of all projects, so that a project that is bound to
// another index can only be kept from it by leaving its files out of the page.

// hides tells whether something may have to be left out of the pages of a flat
// index.
func (b bindings) hides() bool { return len(b.bound) > 0 }

// serves tells whether a flat index serves the project of a file.
func (b bindings) serves(index, fileName string) bool {
	project := projectOf(fileName)
	for _, i := range b.indexes {
		if i.flat && i.name == index && i.projects != nil {
			return i.projects[project]
		}
	}
	return !b.bound[project]
}

// projectOf is the project that the name of a file begins with. That of an
// sdist may have hyphens, and ends before the first one that a digit follows.
func projectOf(fileName string) string {
	if strings.HasSuffix(fileName, ".whl") {
		name, _, _ := strings.Cut(fileName, "-")
		return normalized(name)
	}
	for i := 1; i+1 < len(fileName); i++ {
		if next := fileName[i+1]; fileName[i] == '-' && '0' <= next && next <= '9' {
			return normalized(fileName[:i])
		}
	}
	return normalized(fileName)
}

// pageOf is a page that lists files, as HTML. It is written anew and not cut out
// of the one that came: two parsers may see two lists in that one.
func pageOf(list []File) []byte {
	var out strings.Builder
	out.WriteString("<!DOCTYPE html>\n<html><body>\n")
	attribute := func(name, value string) { fmt.Fprintf(&out, " %s=\"%s\"", name, html.EscapeString(value)) }
	for i := range list {
		f := &list[i]
		out.WriteString("<a")
		attribute("href", f.URL+fragment(f.Hashes))
		if f.RequiresPython != "" {
			attribute("data-requires-python", f.RequiresPython)
		}
		if f.Yanked {
			attribute("data-yanked", f.YankedReason)
		}
		if f.HasMetadata {
			said := strings.TrimPrefix(fragment(f.MetadataHashes), "#")
			if said == "" {
				said = "true"
			}
			attribute("data-core-metadata", said)
			attribute("data-dist-info-metadata", said)
		}
		fmt.Fprintf(&out, ">%s</a><br>\n", html.EscapeString(f.Name))
	}
	out.WriteString("</body></html>\n")
	return []byte(out.String())
}

// fragment is the hash that a link has room for.
func fragment(hashes map[string]string) string {
	order := []string{"sha256", "sha512", "sha384", "sha224", "sha1", "md5"}
	i := slices.IndexFunc(order, func(name string) bool { return hashes[name] != "" })
	if i < 0 {
		return ""
	}
	return "#" + order[i] + "=" + hashes[order[i]]
}
