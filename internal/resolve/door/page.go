package door

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// pageLimit is the size limit of a page.
const pageLimit = 64 << 20

// File is an index's entry for a file.
type File struct {
	Index          string
	Project        string // "" on a flat page
	URL            string // without a fragment or a login
	Name           string
	Hashes         map[string]string // algorithm → hexadecimal digits
	Size           int64             // 0 if unknown
	Yanked         bool
	YankedReason   string
	RequiresPython string
	HasMetadata    bool // its METADATA is at its address plus .metadata
	MetadataHashes map[string]string
}

// parsePage reads the page at an address.
func parsePage(contentType string, at *url.URL, data []byte) ([]File, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil && kind == "" && contentType != "":
		return nil, fmt.Errorf("reading the type %q: %w", contentType, err)
	case kind == "application/vnd.pypi.simple.v1+json" || kind == "application/json":
		return parseJSON(at, data)
	case kind == "application/vnd.pypi.simple.v1+html" || kind == "text/html" || kind == "application/xhtml+xml" || kind == "":
		return parseHTML(at, data), nil
	}
	return nil, fmt.Errorf("unsupported type %q", kind)
}

// resolve makes an address in a page absolute, and returns its fragment separately.
func resolve(base *url.URL, address string) (u *url.URL, fragment string, ok bool) {
	u, err := base.Parse(strings.TrimSpace(address))
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, "", false
	}
	fragment = u.Fragment
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	_, err = url.Parse(u.String()) // a relative "//::" is accepted, and the absolute address isn't
	return u, fragment, err == nil
}

// fileName returns the last element of an address.
func fileName(u *url.URL) string { return path.Base(u.Path) }

// hashesOf reads ALG=HEX, the form of fragments and attributes. It returns nil if there is
// none.
func hashesOf(text string) map[string]string {
	var hashes map[string]string
	for part := range strings.SplitSeq(text, "&") {
		if name, value, ok := strings.Cut(part, "="); ok {
			hashes = withHash(hashes, name, value)
		}
	}
	return hashes
}

func withHash(hashes map[string]string, name, value string) map[string]string {
	name, value = strings.ToLower(name), strings.ToLower(value)
	isHex := value != "" && strings.Trim(value, "0123456789abcdef") == ""
	if !isHex || name == "" || name == "egg" || name == "subdirectory" {
		return hashes
	}
	if hashes == nil {
		hashes = map[string]string{}
	}
	hashes[name] = value
	return hashes
}

// plain decompresses the body of a page.
func plain(encoding string, body io.Reader) ([]byte, error) {
	switch encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, cut(err)
		}
		body = z
	default:
		return nil, fmt.Errorf("unsupported encoding %q", encoding)
	}
	var buf bytes.Buffer
	_, err := buf.ReadFrom(io.LimitReader(body, pageLimit+1))
	switch {
	case err != nil:
		return nil, cut(err)
	case buf.Len() > pageLimit:
		return nil, fmt.Errorf("it is larger than %d MB", pageLimit>>20)
	}
	return buf.Bytes(), nil
}

// Key returns the spelling of an address for comparisons.
func Key(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return key(u.ResolveReference(u)) // without dots in its path
}

// ReadProject calls [ReadPage] for the page of a project on an index.
func ReadProject(ctx context.Context, client *fetch.Client, index, project string) (map[string]File, error) {
	return ReadPage(ctx, client, strings.TrimRight(index, "/")+"/"+project+"/")
}

// MeasurePage returns the sha256 and the size of an index's page for a project, or of a
// flat index if project is "", as a door measures uv's requests.
func MeasurePage(ctx context.Context, client *fetch.Client, index, project string) (lock.Page, error) {
	page := lock.Page{Index: index, Project: project}
	body, err := client.Get(ctx, page.URL(), "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html;q=0.2", "text/html;q=0.01") // as uv does
	if err != nil {
		return page, err
	}
	defer body.Close()
	data, err := plain(body.Header.Get("Content-Encoding"), body)
	if err != nil {
		return page, fmt.Errorf("reading %s: %w", fetch.Redact(page.URL()), err)
	}
	return measured(page, data), nil
}

func measured(page lock.Page, data []byte) lock.Page {
	m := newMeasure(nil)
	_, _ = m.Write(data)
	page.Size, page.SHA256 = m.size, m.digest().sha256
	return page
}

// ReadPage downloads the page at an address without a door, and returns its files by their
// [Key]. Errors are those of fetch.
func ReadPage(ctx context.Context, client *fetch.Client, address string) (map[string]File, error) {
	body, err := client.Get(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := plain(body.Header.Get("Content-Encoding"), body)
	u, _ := url.Parse(body.URL) // links are relative to it
	var list []File
	if err == nil {
		list, err = parsePage(body.Header.Get("Content-Type"), u, data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", fetch.Redact(address), err)
	}
	files := make(map[string]File, len(list))
	for _, f := range list {
		files[Key(f.URL)] = f
	}
	return files, nil
}

// pageOf returns an HTML page that lists files. It doesn't edit the original page, in which
// two parsers may see different lists.
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

// fragment returns the one hash that fits a link.
func fragment(hashes map[string]string) string {
	order := []string{"sha256", "sha512", "sha384", "sha224", "sha1", "md5"}
	i := slices.IndexFunc(order, func(name string) bool { return hashes[name] != "" })
	if i < 0 {
		return ""
	}
	return "#" + order[i] + "=" + hashes[order[i]]
}
