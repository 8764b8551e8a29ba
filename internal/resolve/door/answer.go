package door

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// answer forwards a response, and records what it reveals.
func (d *Door) answer(w http.ResponseWriter, r *http.Request, to *url.URL, resp *http.Response) {
	d.see(r.Method, to, resp.StatusCode)
	if isProblem(resp.StatusCode) || d.isGone(to, resp.StatusCode) {
		d.record.fail(fetch.Redact(to.String()), fetch.Explain(d.client.Refusal(resp)))
	}
	header := responseHeader(resp.Header)
	if next, ok := redirect(to, resp); ok {
		if err := d.hosts.admit(to, next); err != nil {
			d.refuse(w, r.Method, next, fmt.Sprintf("%s redirects there, but %v", to.Host, err))
			return
		}
		if p, ok := d.pageAt(to); ok {
			d.pages.put(key(next), p)
		}
		if p, ok := d.files.promised(to); ok {
			d.files.lead(next, p)
		}
		if origin(next) == origin(to) && resp.Request.Header.Get("Authorization") != "" {
			d.logInAt(next)
		}
		header.Set("Location", next.String())
	}
	p, isPage := d.pageAt(to)
	isFine := resp.StatusCode >= http.StatusOK && resp.StatusCode < http.StatusMultipleChoices
	if isPage && r.Method == http.MethodGet && isFine {
		d.page(w, to, p, header, resp)
		return
	}
	if said, ok := d.files.promised(to); ok && len(said.hashes) > 0 && isFine {
		header.Del("Content-Encoding") // none was requested; the bytes are those of the file
		freshen(header, "max-age=31536000, immutable")
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return
	}
	ranged := resp.StatusCode == http.StatusPartialContent && r.Header.Get("Range") != ""
	if err := d.body(w, to, resp, isFine && !ranged && header.Get("Content-Encoding") == ""); err != nil {
		if !isOver(r.Context(), err) {
			d.record.fail(fetch.Redact(to.String()), fmt.Errorf("reading %s: %w", fetch.Redact(to.String()), err))
		}
		panic(http.ErrAbortHandler) // the client must not mistake it for complete
	}
}

// isProblem reports whether a status is a problem. 404 isn't: it is how an index answers
// for projects that it lacks.
func isProblem(code int) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusTooManyRequests:
		return true
	}
	return code >= http.StatusInternalServerError
}

// isGone reports whether the server lacks a file that its index lists.
func (d *Door) isGone(u *url.URL, code int) bool {
	_, named := d.files.promised(u)
	return named && (code == http.StatusNotFound || code == http.StatusGone)
}

// redirect returns the target of a redirect, without a login.
func redirect(from *url.URL, resp *http.Response) (*url.URL, bool) {
	location := resp.Header.Get("Location")
	if location == "" || resp.StatusCode < 300 || resp.StatusCode > 399 {
		return nil, false
	}
	u, err := from.Parse(location)
	if err != nil {
		return nil, false
	}
	u.User = nil
	return u, true
}

// page reads a page of an index, and admits the hosts that it names.
func (d *Door) page(w http.ResponseWriter, to *url.URL, p page, header http.Header, resp *http.Response) {
	data, list, err := d.read(p, to, header, resp)
	if err != nil {
		d.problem(w, to, fmt.Errorf("reading the page %s of index %s: %w", fetch.Redact(to.String()), p.index, err))
		return
	}
	for _, clash := range d.files.add(p, list) {
		d.record.fail("", fmt.Errorf("index %s lists %s with a different hash than an earlier index", p.index, fetch.Redact(clash)))
	}
	d.admitAll(to, list)
	header.Del("Content-Encoding")
	header.Del("Accept-Ranges")
	header.Set("Content-Length", strconv.Itoa(len(data)))
	freshen(header, "max-age=600")
	maps.Copy(w.Header(), header)
	_, _ = w.Write(data) // a client that left needs no page
}

// freshen gives a response the lifetime of PyPI's, unless its index sets one: otherwise uv
// requests each page and file of a closure at each resolve. It asks again if its cached
// pages have no solution.
func freshen(header http.Header, control string) {
	for _, name := range []string{"Cache-Control", "ETag", "Last-Modified", "Expires"} {
		if header.Get(name) != "" {
			return
		}
	}
	header.Set("Cache-Control", control)
}

// read reads a page, without the files of a flat page that are bound to other indexes.
func (d *Door) read(p page, to *url.URL, header http.Header, resp *http.Response) (data []byte, list []File, err error) {
	data, err = plain(header.Get("Content-Encoding"), resp.Body)
	if err == nil {
		d.came.put(p.index+"\n"+p.project, measured(lock.Page{Index: p.index, Project: p.project}, data))
		list, err = parsePage(header.Get("Content-Type"), to, data)
	}
	if err != nil || p.project != "" || len(d.bindings.bound) == 0 {
		return data, list, err
	}
	list = slices.DeleteFunc(list, func(f File) bool { return d.bindings.hides(nameIn(f.URL)) })
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Del("ETag")
	header.Del("Last-Modified")
	return pageOf(list), list, nil
}

// nameIn returns the file name in an address, whatever its page calls the file.
func nameIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return fileName(u)
}

// admitAll admits the hosts of files. A request to a forbidden one is refused later.
func (d *Door) admitAll(namer *url.URL, list []File) {
	done := map[string]bool{}
	for i := range list {
		u, err := url.Parse(list[i].URL)
		if err != nil {
			continue // parsePage parsed it before
		}
		if at := u.Scheme + "://" + u.Host; !done[at] {
			done[at] = true
			_ = d.hosts.admit(namer, u)
		}
	}
}

// body forwards a body as it is, and checks a whole one against its index.
func (d *Door) body(w http.ResponseWriter, to *url.URL, resp *http.Response, whole bool) error {
	if !whole {
		return stream(w, resp.Body, io.Discard, func() error { return nil })
	}
	said, _ := d.files.promised(to)
	m := newMeasure(said.hashes)
	return stream(w, resp.Body, m, func() error {
		if err := m.check(fetch.Redact(to.String()), said); err != nil {
			return err
		}
		d.passed.put(key(to), m.digest())
		return nil
	})
}

// pageAt returns the page at an address: one of an index, or one that such a page
// redirects to.
func (d *Door) pageAt(u *url.URL) (page, bool) {
	if p, ok := d.bindings.page(u); ok {
		return p, true
	}
	return d.pages.get(key(u))
}
