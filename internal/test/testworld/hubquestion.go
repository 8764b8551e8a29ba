package testworld

import (
	"net/http"
	"net/url"
	"strings"
)

// hubQuestion is a parsed request to a hub.
type hubQuestion struct {
	repo, verb, revision, path string
	cached                     bool // the small file itself, after the redirect
}

// question parses the path of a request, in which a slash may be escaped:
//
//	api/models/ORG/NAME/revision/REVISION
//	api/models/ORG/NAME/tree/REVISION
//	ORG/NAME/resolve/REVISION/PATH
//	api/resolve-cache/models/ORG/NAME/COMMIT/PATH
func (h *Hub) question(r *http.Request) hubQuestion {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), "/"+h.opts.Path+"/")
	rest, cached := strings.CutPrefix(rest, "api/resolve-cache/models/")
	elements := strings.Split(strings.TrimPrefix(rest, "api/models/"), "/")
	for i, e := range elements {
		if plain, err := url.PathUnescape(e); err == nil {
			elements[i] = plain
		}
	}
	if cached && len(elements) > 2 {
		elements = append(elements[:2:2], append([]string{"resolve"}, elements[2:]...)...)
	}
	if len(elements) < 4 {
		return hubQuestion{}
	}
	return hubQuestion{
		repo: elements[0] + "/" + elements[1], verb: elements[2], revision: elements[3],
		path: strings.Join(elements[4:], "/"), cached: cached,
	}
}
