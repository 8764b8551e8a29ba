package door

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// uploadPack is what git posts to when it reads.
const uploadPack = "/git-upload-pack"

// methodRefusal says why a request may not be made, whoever it goes to. It is
// empty for those that read.
func methodRefusal(method string, u *url.URL) string {
	switch {
	case strings.HasSuffix(u.Path, "/git-receive-pack"),
		slices.Contains(u.Query()["service"], "git-receive-pack"):
		return "git may read from here, and not write"
	case method == http.MethodGet, method == http.MethodHead:
		return ""
	case method == http.MethodPost && strings.HasSuffix(u.Path, uploadPack):
		return ""
	}
	return method + " is not a way to read"
}

// requestHeader is what goes on of the header of a request: what says which
// bytes are wanted, and in which form. Whatever a login could be in stays.
func requestHeader(in http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Encoding", "Content-Type",
		"Git-Protocol", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since",
		"Range", "User-Agent",
	} {
		if values, ok := in[name]; ok && !isHop(in, name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// responseHeader is what comes in of the header of an answer: all but what is
// meant for one connection, and what asks for a login or hands one out.
func responseHeader(in http.Header) http.Header {
	out := http.Header{}
	for name, values := range in {
		switch {
		case isHop(in, name), strings.HasPrefix(name, "Proxy-"):
		case slices.Contains([]string{
			"Set-Cookie", "Set-Cookie2", "Www-Authenticate", "Authentication-Info", "Alt-Svc", "Location", "Content-Location", "Refresh",
		}, name):
		default:
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// isHop tells the headers that are for one connection (RFC 9110, 7.6.1).
func isHop(h http.Header, name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	for _, line := range h.Values("Connection") {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return true
			}
		}
	}
	return false
}
