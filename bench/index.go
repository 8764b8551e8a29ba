package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"lamina.build/internal/test/testworld"
)

// index serves a package index that makes its wheels in the directory for temporary
// files. POST /publish?version=V of its control makes the 60 wheels of the benchmark
// in that version, with content that no other version has, and with &name=NAME only
// one of them; it returns a requirement and the size in bytes for each. POST
// /withdraw?version=V removes the files.
func index(ctx context.Context, out io.Writer) error {
	w := testworld.New(testworld.Forever{Ctx: ctx})
	x := w.Index(testworld.IndexOptions{JSON: true, Immutable: true})
	return serve(ctx, out, strings.TrimPrefix(w.URL, "http://"), w, map[string]http.HandlerFunc{
		"POST /publish": func(rw http.ResponseWriter, r *http.Request) {
			version, name := r.FormValue("version"), r.FormValue("name")
			for _, p := range plans() {
				if name != "" && name != p.name {
					continue
				}
				before := x.Size()
				x.Publish(p.wheel(version))
				fmt.Fprintf(rw, "%s==%s %d\n", p.name, version, x.Size()-before) //nolint:gosec // to a script, not to a browser
			}
		},
		"POST /withdraw": func(_ http.ResponseWriter, r *http.Request) {
			for _, p := range plans() {
				x.Remove(testworld.Wheel{Name: p.name, Version: r.FormValue("version")}.FileName())
			}
		},
	})
}
