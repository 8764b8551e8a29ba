package door

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"strings"
)

// pageLimit is the largest page that is read.
const pageLimit = 64 << 20

// File is what an index says of a file.
type File struct {
	Index          string
	Project        string // empty where a flat page names it
	URL            string // without a fragment or a login
	Name           string
	Hashes         map[string]string // algorithm → hexadecimal digits
	Size           int64             // 0 where it is not known
	Yanked         bool
	YankedReason   string
	RequiresPython string
	HasMetadata    bool              // its METADATA is at its address with .metadata at the end
	MetadataHashes map[string]string // of that
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
	return nil, fmt.Errorf("its type is %q", kind)
}

// resolve makes an absolute address of one in a page. The fragment is returned
// apart.
func resolve(base *url.URL, address string) (u *url.URL, fragment string, ok bool) {
	u, err := base.Parse(strings.TrimSpace(address))
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, "", false
	}
	fragment = u.Fragment
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u, fragment, true
}

// fileName is the last part of an address.
func fileName(u *url.URL) string { return path.Base(u.Path) }

// hashesOf reads ALG=HEX, the form of fragments and attributes. It returns nil
// where there is none.
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

// plain unpacks the body of a page.
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
		return nil, fmt.Errorf("its encoding is %q", encoding)
	}
	var buf bytes.Buffer
	_, err := buf.ReadFrom(io.LimitReader(body, pageLimit+1))
	switch {
	case err != nil:
		return nil, cut(err)
	case buf.Len() > pageLimit:
		return nil, fmt.Errorf("it has more than %d MB", pageLimit>>20)
	}
	return buf.Bytes(), nil
}
