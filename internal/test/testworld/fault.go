package testworld

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Always is the number of times of a permanent fault.
const Always = -1

// Fault is a wrong answer, given a number of times.
type Fault struct {
	Times int
	serve serveFault
}

type serveFault func(rw http.ResponseWriter, r *http.Request, content *io.SectionReader)

// Fail injects a fault into the requests for a path. The path may be a pattern as of
// [path.Match], or end in "/**".
func (w *World) Fail(pattern string, f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[clean(pattern)] = &f
}

// Heal removes all faults.
func (w *World) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.faults)
}

// faultOf uses up one time of a path's fault.
func (w *World) faultOf(name string) serveFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for pattern, f := range w.faults {
		if !matches(pattern, name) || f.Times == 0 {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f.serve
	}
	return nil
}

// corrupt passes the content of the right answer to a fault.
func corrupt(fault serveFault, answer http.Handler, rw http.ResponseWriter, r *http.Request) {
	content := section(nil)
	switch a := answer.(type) {
	case nil:
	case file:
		a = a.wanted(r)
		opened, closer, err := a.open()
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		defer closer.Close()
		a.announce(rw)
		content = opened
	default:
		recorded := httptest.NewRecorder()
		a.ServeHTTP(recorded, r)
		rw.Header().Set("Content-Type", recorded.Header().Get("Content-Type"))
		content = section(recorded.Body.Bytes())
	}
	fault(rw, r, content)
}

// Answer makes h answer, with nothing of the right answer.
func Answer(h http.HandlerFunc, times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, r *http.Request, _ *io.SectionReader) {
		clear(rw.Header())
		h(rw, r)
	}}
}

// Status answers with an HTTP status and without content.
func Status(code, times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, _ *io.SectionReader) {
		http.Error(rw, http.StatusText(code), code)
	}}
}

// Cut closes the connection after half of the content.
func Cut(times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, content *io.SectionReader) {
		sendHalf(rw, content)
		panic(http.ErrAbortHandler)
	}}
}

// Stall sends half of the content, then nothing while the client waits.
func Stall(times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, r *http.Request, content *io.SectionReader) {
		sendHalf(rw, content)
		<-r.Context().Done()
	}}
}

func sendHalf(rw http.ResponseWriter, content *io.SectionReader) {
	rw.Header().Set("Content-Length", strconv.FormatInt(content.Size(), 10))
	_, _ = io.CopyN(rw, content, content.Size()/2)
	_ = http.NewResponseController(rw).Flush()
}

// Slow sends the content in ten pieces with a pause before each.
func Slow(pause time.Duration, times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, r *http.Request, content *io.SectionReader) {
		size := content.Size()
		for i := range int64(10) {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(pause):
			}
			_, _ = io.CopyN(rw, content, size*(i+1)/10-size*i/10)
			_ = http.NewResponseController(rw).Flush()
		}
	}}
}

// Wrong sends the content with one byte in the middle changed.
func Wrong(times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, content *io.SectionReader) {
		_, _ = io.CopyN(rw, content, content.Size()/2)
		var middle [1]byte
		if n, _ := content.Read(middle[:]); n == 1 {
			_, _ = rw.Write([]byte{middle[0] ^ 1})
		}
		_, _ = io.Copy(rw, content)
	}}
}
