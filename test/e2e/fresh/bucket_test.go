package fresh

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// bucket is an object store with the parts of S3 that an engine's cache needs.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	parts   map[string]map[int][]byte // of uploads
	keys    []string                  // that requests were signed with
}

func (b *bucket) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body = unchunked(body)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, key, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		key, _, _ = strings.Cut(key, "/")
		if !slices.Contains(b.keys, key) {
			b.keys = append(b.keys, key)
		}
	}
	q, name := r.URL.Query(), r.URL.Path
	part, _ := strconv.Atoi(q.Get("partNumber"))
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		b.parts[name] = map[int][]byte{}
		fmt.Fprint(rw, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPut && part > 0:
		b.parts[name][part] = body
		rw.Header().Set("ETag", strconv.Itoa(part))
	case r.Method == http.MethodPost && q.Has("uploadId"):
		b.objects[name] = nil
		for n := range len(b.parts[name]) {
			b.objects[name] = append(b.objects[name], b.parts[name][n+1]...)
		}
		fmt.Fprint(rw, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "": // as new
		fmt.Fprint(rw, "<CopyObjectResult></CopyObjectResult>")
	case r.Method == http.MethodPut:
		b.objects[name] = body
	case b.objects[name] == nil:
		rw.WriteHeader(http.StatusNotFound)
		fmt.Fprint(rw, "<Error><Code>NoSuchKey</Code></Error>")
	default:
		http.ServeContent(rw, r, "", time.Now(), bytes.NewReader(b.objects[name]))
	}
}

// unchunked returns the content of a body in chunks with their lengths.
func unchunked(body []byte) (all []byte) {
	for r := bufio.NewReader(bytes.NewReader(body)); ; {
		line, err := r.ReadString('\n')
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, parseErr := strconv.ParseInt(size, 16, 64)
		if err != nil || parseErr != nil || n == 0 {
			return all
		}
		chunk := make([]byte, n+2)
		if _, err = io.ReadFull(r, chunk); err != nil {
			return all
		}
		all = append(all, chunk[:n]...)
	}
}

// A cache in a bucket works like one in a registry, with the login of AWS's own tools.
func TestRealCacheInABucket(t *testing.T) {
	t.Parallel()
	b := &bucket{objects: map[string][]byte{}, parts: map[string]map[int][]byte{}}
	server := httptest.NewServer(b)
	defer server.Close()
	carries(t, "type=s3,bucket=caches,use_path_style=true,endpoint_url="+server.URL,
		[]string{"AWS_ACCESS_KEY_ID=somebody", "AWS_SECRET_ACCESS_KEY=" + e2etest.Secret, "AWS_REGION=here"})
	if len(b.objects) == 0 || !slices.Equal(b.keys, []string{"somebody"}) {
		t.Errorf("the bucket has %d objects, requests were signed by %q", len(b.objects), b.keys)
	}
}
