package testworld

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// hubAnswer is an answer before it is sent, so that a fault can use it without writing
// gigabytes anywhere.
type hubAnswer struct {
	status  int
	header  http.Header
	content Content
	part    *io.SectionReader // of the content, once ranged was asked
}

func hubJSON(value any) hubAnswer {
	text, err := json.Marshal(value)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	header.Set("RateLimit", `"api";r=490;t=200`) // every answer has one
	return hubAnswer{status: http.StatusOK, header: header, content: Text(string(text))}
}

func hubRedirect(status int, location string) hubAnswer {
	header := http.Header{"Location": {location}, "Content-Type": {"text/plain"}}
	header.Set("RateLimit", `"resolvers";r=2990;t=200`)
	return hubAnswer{status: status, header: header, content: Text("Redirecting to " + location)}
}

// hubRefusal puts the reason into headers, where clients of the hub read it.
func hubRefusal(status int, code, message string) hubAnswer {
	a := hubJSON(map[string]string{"error": message})
	a.status = status
	a.header.Set("X-Error-Message", message)
	if code != "" {
		a.header.Set("X-Error-Code", code)
	}
	return a
}

// ranged returns the answer to a request for "bytes=FIRST-LAST" or "bytes=FIRST-".
func (a hubAnswer) ranged(r *http.Request) hubAnswer {
	a.part = io.NewSectionReader(a.content, 0, a.content.Size())
	asked, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if ok && a.status == http.StatusOK {
		a = a.cut(asked)
	}
	a.header.Set("Content-Length", strconv.FormatInt(a.part.Size(), 10))
	return a
}

func (a hubAnswer) cut(asked string) hubAnswer {
	size := a.content.Size()
	from, to, _ := strings.Cut(asked, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	last, lastErr := strconv.ParseInt(to, 10, 64)
	if to == "" {
		last, lastErr = size-1, nil
	}
	if err != nil || lastErr != nil || first < 0 || first >= size || last < first {
		a.status, a.part = http.StatusRequestedRangeNotSatisfiable, section(nil)
		a.header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return a
	}
	last = min(last, size-1)
	a.status, a.part = http.StatusPartialContent, io.NewSectionReader(a.content, first, last-first+1)
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
	return a
}

// send writes the whole answer.
func (a hubAnswer) send(rw http.ResponseWriter, r *http.Request) {
	rw.WriteHeader(a.status)
	if r.Method == http.MethodGet {
		// The section reads no further than its end, and a client may leave.
		_, _ = io.CopyBuffer(struct{ io.Writer }{rw}, struct{ io.Reader }{a.part}, make([]byte, blockSize/4))
	}
}
