package testworld

import (
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
)

// registryTally is what reached a registry.
type registryTally struct {
	total   int64
	calls   map[string]int   // by method and path
	uploads map[string]int64 // bytes by upload
	blobs   map[digest.Digest]int64
}

func (t *registryTally) clear() {
	*t = registryTally{calls: map[string]int{}, uploads: map[string]int64{}, blobs: map[digest.Digest]int64{}}
}

// Received returns how many bytes of blobs and manifests reached the registry, including those
// that it lost afterwards.
func (r *Registry) Received() int64 {
	r.content.Lock()
	defer r.content.Unlock()
	return r.tally.total
}

// ReceivedOf returns how many bytes reached the uploads that became a blob.
func (r *Registry) ReceivedOf(d digest.Digest) int64 {
	r.content.Lock()
	defer r.content.Unlock()
	return r.tally.blobs[d]
}

// Calls counts the requests that match a pattern, see [Registry.Fail].
func (r *Registry) Calls(pattern string) int {
	r.content.Lock()
	defer r.content.Unlock()
	sum := 0
	for call, n := range r.tally.calls {
		method, name, _ := strings.Cut(call, " ")
		if matchesCall(pattern, method, name) {
			sum += n
		}
	}
	return sum
}

// Forget sets all counters to zero.
func (r *Registry) Forget() {
	r.World.Forget()
	r.content.Lock()
	defer r.content.Unlock()
	r.tally.clear()
}

func (r *Registry) countCall(req *http.Request) {
	r.content.Lock()
	defer r.content.Unlock()
	r.tally.calls[req.Method+" "+clean(req.URL.Path)]++
}

// settle counts the bytes of an upload as those of the blob that it became.
func (r *Registry) settle(upload string, d digest.Digest) {
	r.content.Lock()
	defer r.content.Unlock()
	r.tally.blobs[d] += r.tally.uploads[upload]
	delete(r.tally.uploads, upload)
}

// countedBody counts what arrives.
type countedBody struct {
	io.ReadCloser

	registry *Registry
	path     string
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.registry.content.Lock()
	defer b.registry.content.Unlock()
	b.registry.tally.total += int64(n)
	b.registry.tally.uploads[path.Base(b.path)] += int64(n)
	return n, err
}
