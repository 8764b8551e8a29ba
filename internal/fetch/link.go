package fetch

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A link of a Link header (RFC 8288, section 3), and a parameter of one:
// <target>; name=value; name="quoted value", <target>; …
var (
	link      = regexp.MustCompile(`<([^>]*)>((?:[^",]|"(?:[^"\\]|\\.)*")*)`)
	parameter = regexp.MustCompile(`;\s*([^\s=;"]*)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*)))?`)
)

// NextLink returns the target of rel="next" in a header: the next page of a list.
func NextLink(h http.Header) (target string, found bool) {
	for _, header := range h.Values("Link") {
		for _, l := range link.FindAllStringSubmatch(header, -1) {
			for _, p := range parameter.FindAllStringSubmatch(l[2], -1) {
				if !strings.EqualFold(p[1], "rel") {
					continue
				}
				if slices.ContainsFunc(strings.Fields(p[2]+p[3]), func(rel string) bool { return strings.EqualFold(rel, "next") }) {
					return l[1], true
				}
				break // further ones don't count
			}
		}
	}
	return "", false
}
