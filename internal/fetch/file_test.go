package fetch_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"lamina.build/internal/fetch"
)

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// wheel returns an archive of some megabytes with a large directory.
func wheel(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := range 2000 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("package/with/a/long/path/%d.py", i), Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(noise(2000))
	}
	w.Close()
	return buf.Bytes()
}

func content(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		http.ServeContent(w, r, "x.whl", time.Time{}, bytes.NewReader(data))
	}
}

func TestDirectoryOfAWheelTakesFewRequests(t *testing.T) {
	data := wheel(t)
	s := serve(t, content(data))
	f, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zip.NewReader(f, f.Size())
	if err != nil || len(z.File) != 2000 {
		t.Fatalf("reading the directory: %v", err)
	}
	if n := len(s.requests()); n > 2 {
		t.Errorf("took %d requests", n)
	}
	r, _ := z.File[7].Open()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, noise(2000)) {
		t.Errorf("reading a file: %v", err)
	}
}

func TestReadAt(t *testing.T) {
	sizes := []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5<<20 + 12345}
	for _, size := range sizes {
		data := noise(size)
		for name, h := range map[string]http.HandlerFunc{
			"ranges": content(data),
			"none":   func(w http.ResponseWriter, _ *http.Request) { w.Write(data) },
			"cut":    cutter(data, 700_000, nil),
		} {
			t.Run(fmt.Sprintf("%s %d", name, size), func(t *testing.T) {
				s := serve(t, h)
				f, err := client(fetch.Options{TempDir: t.TempDir()}).Open(t.Context(), s.URL, 1<<30)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				readAll(t, f, data)
			})
		}
	}
}

func readAll(t *testing.T, f *fetch.File, data []byte) {
	t.Helper()
	if f.Size() != int64(len(data)) {
		t.Fatalf("has %d bytes of %d", f.Size(), len(data))
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes of %d and %v", len(got), len(data), err)
	}
	whole := make([]byte, len(data)+1)
	if n, err := f.ReadAt(whole, 0); n != len(data) || !errors.Is(err, io.EOF) || !bytes.Equal(whole[:n], data) {
		t.Errorf("read %d bytes of %d at once and %v", n, len(data), err)
	}
	if _, err := f.ReadAt(whole[:1], -1); err == nil {
		t.Error("read before the start")
	}
}

func TestLargeFileWithoutRangesGoesToDisk(t *testing.T) {
	data := noise(33 << 20)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(data) })
	f, err := client(fetch.Options{TempDir: t.TempDir()}).Open(t.Context(), s.URL, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1000)
	if _, err := f.ReadAt(got, 32<<20); err != nil || !bytes.Equal(got, data[32<<20:32<<20+1000]) || f.Size() != 33<<20 {
		t.Errorf("got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestFileThatChanges(t *testing.T) {
	n := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
		http.ServeContent(w, r, "x.whl", time.Time{}, bytes.NewReader(noise(3<<20)))
	})
	f, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ReadAt(make([]byte, 10), 0)
	if _, ok := errors.AsType[*fetch.ChangedError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// What a cache adds or omits once doesn't make it another file.
func TestFileThatOnlySeemsToChange(t *testing.T) {
	data := noise(3 << 20)
	for name, odd := range map[string]func(w http.ResponseWriter, r *http.Request, n int){
		"a tag appears": func(w http.ResponseWriter, _ *http.Request, n int) {
			if n > 1 {
				w.Header().Set("ETag", `"x"`)
			}
		},
		"a range is ignored": func(_ http.ResponseWriter, r *http.Request, n int) {
			if n > 1 {
				r.Header.Del("Range")
			}
		},
		"a tag disappears": func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				w.Header().Set("ETag", `"x"`)
			}
			r.Header.Del("If-Range")
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n++
				odd(w, r, n)
				http.ServeContent(w, r, "x.whl", time.Time{}, bytes.NewReader(data))
			})
			f, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, f, data)
		})
	}
}

func TestOpenWhereTheSizeOfTheWholeIsNotTold(t *testing.T) {
	data := noise(1000)
	for _, contentRange := range []string{"bytes 0-0/*", "bytes 0-0", "lines 0-0/1", ""} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				partOf(contentRange)(w, r)
				return
			}
			w.Write(data)
		})
		f, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, f, data)
	}
}

func TestOpenHasALimit(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write(make([]byte, 1<<20))
		}
	}
	for name, h := range map[string]http.HandlerFunc{"ranges": content(noise(2000)), "endless": endless} {
		for _, limit := range []int64{1000, 40 << 20} {
			f, err := client(fetch.Options{TempDir: t.TempDir()}).Open(t.Context(), serve(t, h).URL, limit)
			if _, ok := errors.AsType[*fetch.SizeError](err); ok == (name == "ranges" && limit > 2000) {
				t.Errorf("%s, at most %d bytes: got %+v and %v", name, limit, f, err)
			}
		}
	}
}

func TestOpenWhatIsNotThere(t *testing.T) {
	for _, code := range []int{http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		_, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
		if status, ok := errors.AsType[*fetch.StatusError](err); !ok || status.Code != code {
			t.Errorf("got %v", err)
		}
	}
}
