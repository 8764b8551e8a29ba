package testworld_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"lamina.build/internal/test/testworld"
)

func TestGenerated(t *testing.T) {
	t.Parallel()
	const size = 5<<20 + 11
	c := testworld.Generated(1, size)
	whole, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil || len(whole) != size {
		t.Fatalf("got %d bytes, %v", len(whole), err)
	}
	for _, at := range [][2]int{{0, 1}, {5, 9}, {1<<20 - 3, 17}, {2<<20 + 7, 2 << 20}, {size - 1, 1}} {
		got := make([]byte, at[1])
		if n, err := c.ReadAt(got, int64(at[0])); n != at[1] || err != nil || !bytes.Equal(got, whole[at[0]:at[0]+at[1]]) {
			t.Errorf("%v: got %d bytes, %v", at, n, err)
		}
	}
	if n, err := c.ReadAt(make([]byte, 10), size-3); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("over the end: got %d bytes, %v", n, err)
	}
	if n, err := c.ReadAt(make([]byte, 10), size+3); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: got %d bytes, %v", n, err)
	}
	seen := map[[32]byte]bool{}
	for i := range 5 {
		seen[sha256.Sum256(whole[i<<20:(i+1)<<20])] = true
	}
	if len(seen) != 5 {
		t.Error("two blocks are the same")
	}
	if got, want := testworld.SHA256(c), fmt.Sprintf("%x", sha256.Sum256(whole)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if testworld.SHA256(c) != testworld.SHA256(testworld.Generated(1, size)) {
		t.Error("the same seed gave other bytes")
	}
	if testworld.SHA256(c) == testworld.SHA256(testworld.Generated(2, size)) {
		t.Error("another seed gave the same bytes")
	}
}

func BenchmarkGenerated(b *testing.B) {
	c := testworld.Generated(1, 4<<30)
	buffer := make([]byte, 256<<10)
	b.SetBytes(int64(len(buffer)))
	var at int64
	for b.Loop() {
		_, _ = c.ReadAt(buffer, at%(4<<30-1<<20))
		at += int64(len(buffer))
	}
}

// BenchmarkHubServes downloads a gigabyte over the loopback.
func BenchmarkHubServes(b *testing.B) {
	h := testworld.New(b).Hub(testworld.HubOptions{})
	c := testworld.Generated(1, 1<<30)
	h.Repo("Org/Model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"f": testworld.Large(c)})
	b.SetBytes(c.Size())
	client := &http.Client{Transport: &http.Transport{ReadBufferSize: 256 << 10}}
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, h.Endpoint+"/Org/Model/resolve/main/f", http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 1<<20))
		if n != c.Size() || err != nil {
			b.Fatalf("got %d bytes, %v", n, err)
		}
		_ = resp.Body.Close()
	}
}
