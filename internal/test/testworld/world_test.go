package testworld_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/testworld"
)

func get(t *testing.T, url string) (status int, content string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func TestFaultsLastAsLongAsTold(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	w.Put("a/b", []byte("content"))
	w.Fail("/a/*", testworld.Status(http.StatusBadGateway, 2))
	var got []int
	for range 3 {
		status, _, err := get(t, w.URL+"/a/b")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if got[0] != 502 || got[1] != 502 || got[2] != 200 {
		t.Errorf("got %v, want 502, 502, 200", got)
	}
	if n := w.Requests("/a/**"); n != 3 {
		t.Errorf("counted %d requests, want 3", n)
	}
}

func TestFaultsCorruptTheContent(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	w.Put("f", []byte("content"))
	w.Fail("f", testworld.Cut(1))
	if _, content, err := get(t, w.URL+"/f"); err == nil {
		t.Errorf("cut: got %q and no error", content)
	}
	w.Fail("f", testworld.Wrong(1))
	if _, content, err := get(t, w.URL+"/f"); err != nil || content == "content" || len(content) != 7 {
		t.Errorf("wrong: got %q, %v", content, err)
	}
	w.Fail("f", testworld.Slow(time.Millisecond, 1))
	if _, content, err := get(t, w.URL+"/f"); err != nil || content != "content" {
		t.Errorf("slow: got %q, %v", content, err)
	}
}

// TestDpkgReadsTheDebs reads the debs with the program that they are for.
func TestDpkgReadsTheDebs(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("there is no dpkg-deb here")
	}
	for _, compression := range []string{".gz", ".xz"} {
		deb := testworld.Deb{
			Name: "hello", Version: "1:2.0", Compression: compression,
			Fields: []string{"Depends: libc6"}, Files: map[string]string{"/usr/bin/hello": "#!/bin/sh\n"},
		}
		dir := t.TempDir()
		name := filepath.Join(dir, "hello.deb")
		if err := os.WriteFile(name, deb.Bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), dpkg, "--field", name).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Version: 1:2.0\n") || !strings.Contains(string(out), "Depends: libc6\n") {
			t.Errorf("%s: dpkg-deb --field: %v\n%s", compression, err, out)
		}
		out, err = exec.CommandContext(t.Context(), dpkg, "--extract", name, dir).CombinedOutput()
		info, serr := os.Stat(filepath.Join(dir, "usr/bin/hello"))
		if err != nil || serr != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: dpkg-deb --extract: %v, %v\n%s", compression, err, serr, out)
		}
	}
}

func TestWorldsCountTheirConnections(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	w.Put("f", make([]byte, 1000))
	if _, _, err := get(t, w.URL+"/f"); err != nil {
		t.Fatal(err)
	}
	in, out := w.Moved()
	if in < int64(len("GET /f HTTP/1.1\r\n")) || in > 1000 || out < 1000 || out > 2000 {
		t.Errorf("%d bytes came in, %d went out", in, out)
	}
	w.Forget()
	if in, out = w.Moved(); in != 0 || out != 0 {
		t.Errorf("%d and %d bytes after they were forgotten", in, out)
	}
}
