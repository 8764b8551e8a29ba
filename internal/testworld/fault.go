package testworld

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// Always is the number of times of a fault that stays.
const Always = -1

// Fault is a way to answer wrongly, a number of times.
type Fault struct {
	Times int
	serve func(rw http.ResponseWriter, r *http.Request, content []byte)
}

// Status answers with an HTTP status and no content.
func Status(code, times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, _ []byte) {
		http.Error(rw, http.StatusText(code), code)
	}}
}

// Cut ends the connection after half of the content.
func Cut(times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, content []byte) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = rw.Write(content[:len(content)/2])
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Stall sends half of the content, and nothing more while the client waits.
func Stall(times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, r *http.Request, content []byte) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = rw.Write(content[:len(content)/2])
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	}}
}

// Slow sends the content in ten pieces with a pause before each.
func Slow(pause time.Duration, times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, r *http.Request, content []byte) {
		for i := range 10 {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(pause):
			}
			_, _ = rw.Write(content[len(content)*i/10 : len(content)*(i+1)/10])
			_ = http.NewResponseController(rw).Flush()
		}
	}}
}

// Wrong sends as many bytes, of which one in the middle is another.
func Wrong(times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, content []byte) {
		altered := bytes.Clone(content)
		if len(altered) > 0 {
			altered[len(altered)/2] ^= 1
		}
		_, _ = rw.Write(altered)
	}}
}
