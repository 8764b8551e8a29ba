package fetch_test

import (
	"net/http"
	"strings"
	"testing"

	"lamina.build/internal/fetch"
)

func TestNextLink(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		`<https://h/a?b=c>; rel="next"`:    "https://h/a?b=c",
		`<a>; rel=next`:                    "a",
		`<a,b;c>;rel="next"`:               "a,b;c",
		`<a>; REL="prev NEXT"`:             "a",
		`<a>; rel="prev", <b>; rel="next"`: "b",
		`<a>; title="<x>; rel=\"next\", <y>"; rel=last, <b>; rel=next`: "b",
		`<a>; rel="prev"; rel="next"`:                                  "", // RFC 8288: further ones don't count
		`<a>; rel="nextest"`:                                           "",
		`<a>`:                                                          "",
		``:                                                             "",
		`rel="next"`:                                                   "",
		`<a; rel="next"`:                                               "",
		`<a>; title="unclosed; rel=next`:                               "",
		`<a>; crossorigin; rel=next`:                                   "a",
		`<a> ; rel = "next" , <b>`:                                     "a",
	} {
		if got, found := fetch.NextLink(http.Header{"Link": {header}}); got != want && found || found != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", header, got, found, want)
		}
	}
	if got, _ := fetch.NextLink(http.Header{"Link": {`<a>; rel="prev"`, `<b>; rel="next"`}}); got != "b" {
		t.Errorf("two headers: got %q", got)
	}
}

// FuzzNextLinkIsPartOfItsHeader also finds endless loops.
func FuzzNextLinkIsPartOfItsHeader(f *testing.F) {
	for _, seed := range []string{`<a>; rel="next"`, `<a>; rel="prev", <b>; rel=next`, `<<>>;;,,==""`, `<a>;rel="\`, `<a>;rel`, `<a>;=`, `<a>;rel= `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, found := fetch.NextLink(http.Header{"Link": {header}})
		if found && !strings.Contains(header, "<"+got) {
			t.Errorf("%q is not in %q", got, header)
		}
	})
}
