package testworld

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"
)

// RefuseChunks answers each chunk with a status, before reading its bytes. A body without a
// range passes.
func RefuseChunks(code, times int) Fault {
	return Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		if r.Header.Get("Content-Range") == "" {
			right.ServeHTTP(rw, r)
			return
		}
		http.Error(rw, http.StatusText(code), code)
	})
}

// LimitBody answers bodies of more than most bytes with a status.
func LimitBody(code int, most int64, times int) Fault {
	return Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		if r.ContentLength <= most {
			right.ServeHTTP(rw, r)
			return
		}
		http.Error(rw, http.StatusText(code), code)
	})
}

// Later answers with a status and a Retry-After, which may be empty: seconds or a date, as in
// RFC 9110.
func Later(code int, after string, times int) Fault {
	return Around(times, func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if after != "" {
			rw.Header().Set("Retry-After", after)
		}
		http.Error(rw, http.StatusText(code), code)
	})
}

// errDropped ends a body of which nothing is kept.
var errDropped = errors.New("the connection was cut, and what came is lost")

// CutUpload closes the connection after n bytes of the request's body, which the registry
// keeps or not.
func CutUpload(n int64, keep bool, times int) Fault {
	return Around(times, func(_ http.ResponseWriter, r *http.Request, right http.Handler) {
		end := errDropped
		if keep {
			end = io.ErrUnexpectedEOF
		}
		r.Body = &cutBody{ReadCloser: r.Body, left: n, then: func() error { return end }}
		right.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// ShortUpload reads at most n bytes of the request's body, and answers as if those were all.
func ShortUpload(n int64, times int) Fault {
	return Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		r.Body = &cutBody{ReadCloser: r.Body, left: n, then: func() error { return io.EOF }}
		right.ServeHTTP(rw, r)
	})
}

// StallUpload stops reading after n bytes of the request's body, until the test ends.
func (r *Registry) StallUpload(n int64, times int) Fault {
	return Around(times, func(_ http.ResponseWriter, req *http.Request, right http.Handler) {
		req.Body = &cutBody{ReadCloser: req.Body, left: n, then: func() error { return io.ErrUnexpectedEOF }}
		right.ServeHTTP(httptest.NewRecorder(), req)
		<-r.done
		panic(http.ErrAbortHandler)
	})
}

// SlowUpload pauses before each part of the request's body, of 32 KiB at most.
func SlowUpload(pause time.Duration, times int) Fault {
	return Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		r.Body = &slowBody{r.Body, pause}
		right.ServeHTTP(rw, r)
	})
}

// LoseAnswer serves the request and closes the connection without an answer.
func LoseAnswer(times int) Fault {
	return Around(times, func(_ http.ResponseWriter, r *http.Request, right http.Handler) {
		right.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// WrongRange serves the request and answers with another Range header, or without one.
func WrongRange(value string, times int) Fault {
	return Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		rec := httptest.NewRecorder()
		right.ServeHTTP(rec, r)
		maps.Copy(rw.Header(), rec.Header())
		rw.Header().Del("Range")
		if value != "" {
			rw.Header().Set("Range", value)
		}
		rw.WriteHeader(rec.Code)
		_, _ = rec.Body.WriteTo(rw)
	})
}

// ForgetUpload forgets the upload once, at the request after its first n bytes, and answers
// that there is none.
func (r *Registry) ForgetUpload(n int64) Fault {
	var done atomic.Bool
	return Around(Always, func(rw http.ResponseWriter, req *http.Request, right http.Handler) {
		_, _, id := splitPath(strings.TrimPrefix(clean(req.URL.Path), "/v2/"))
		r.content.Lock()
		u := r.uploads[id]
		r.content.Unlock()
		if u != nil && u.length() >= n && done.CompareAndSwap(false, true) {
			r.drop(u)
		}
		right.ServeHTTP(rw, req)
	})
}

// cutBody ends after some bytes.
type cutBody struct {
	io.ReadCloser

	left int64
	then func() error
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.then()
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// slowBody pauses before each read.
type slowBody struct {
	io.ReadCloser

	pause time.Duration
}

func (b *slowBody) Read(p []byte) (int, error) {
	time.Sleep(b.pause)
	return b.ReadCloser.Read(p[:min(len(p), 32<<10)])
}
