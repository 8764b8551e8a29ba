package weights_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
)

// Only verifying reads contents.
func TestVerifyHashesContents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		corrupt    func(*forgery)
	}{
		{"as it was", "", func(*forgery) {}},
		{"a large file", `file "a.bin" has the sha256 `, func(f *forgery) { f.layers[0][1<<19] ^= 1 }},
		{"a file among small ones", `file "b/config.json" has the sha256 `, func(f *forgery) { f.layers[1][header(f.layers[1], "models/tiny/b/config.json")+512] ^= 1 }},
		{"a header", `the header of "models/tiny/a.bin" is missing`, func(f *forgery) { f.layers[0][header(f.layers[0], "models/tiny/a.bin")] = 'x' }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, r := forged(t, tt.corrupt)
			told(t, "published", f.job.VerifyPublished(t.Context(), reader(t, r)), tt.want)
			told(t, "in a layout", f.job.VerifyPulled(t.Context(), f.lay(t)), tt.want)
		})
	}
}

// header returns the position of an entry's header.
func header(layer []byte, name string) int { return bytes.Index(layer, append([]byte(name), 0)) }

// A blob that doesn't match its digest is reported, whatever names it; over a connection
// that breaks again and again, all of it finally arrives, once.
func TestVerifyOverABadLine(t *testing.T) {
	t.Parallel()
	cut := func(rec *httptest.ResponseRecorder) []byte { return rec.Body.Bytes()[:min(rec.Body.Len(), 150_000)] }
	wrong := func(rec *httptest.ResponseRecorder) []byte {
		data := bytes.Clone(rec.Body.Bytes())
		if len(data) > 1<<20 {
			data[1<<19] ^= 1
		}
		return data
	}
	var asked atomic.Int32
	whole := testworld.Around(testworld.Always, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		r.Header.Del("Range")
		if asked.Add(1) == 2 { // the first is for the headers
			rw = &cutWriter{rw, 600_000}
		}
		right.ServeHTTP(rw, r)
	})
	for _, tt := range []struct {
		name  string
		fault testworld.Fault
		want  string
		most  int64
	}{
		{"cut", answering(cut, testworld.Always), "", 4_000_000},
		{"cut, without ranges", whole, "", 4_000_000},
		{"other bytes", answering(wrong, testworld.Always), `file "a.bin" has the sha256 `, 4_000_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			f := genuine(t, r)
			f.seal()
			f.put(t, r, ocispec.MediaTypeImageManifest)
			r.Fail("GET /v2/acme/tiny/blobs/"+f.manifest.Layers[0].Digest.String(), tt.fault)
			r.Forget()
			var seen history
			f.job.Progress = seen.note
			err := f.job.VerifyPublished(t.Context(), reader(t, r))
			told(t, tt.name, err, tt.want)
			if n := r.Sent("/v2/acme/tiny/blobs/*"); n > tt.most {
				t.Errorf("%d bytes were sent", n)
			}
			if state := seen.last()["tiny/a.bin"]; (state == weights.Done) != (tt.want == "") {
				t.Errorf("the layer is in state %d", state)
			}
			if _, ok := errors.AsType[*weights.MismatchError](err); ok != (tt.want != "") {
				t.Errorf("the error doesn't name the file: %v", err)
			}
		})
	}
}

// cutWriter ends the connection after a number of bytes.
type cutWriter struct {
	http.ResponseWriter

	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), w.left)])
	if w.left -= n; w.left == 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}
