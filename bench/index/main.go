// Command index is a package index for bench/wheels.sh. It makes its wheels in
// the folder that it is given, listens on a free port of this machine and prints
// its address. POST /_publish?version=V makes the 60 wheels of the benchmark in
// that version, with other content than any other version has, and
// &name=NAME only one of them; it returns them as lines of requirements. POST
// /_withdraw?version=V removes the files. GET /_sent returns the bytes of all
// wheels that were sent, and starts again from zero.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"lamina.build/internal/test/testworld"
)

func main() {
	if len(os.Args) != 2 { //nolint:forbidigo // a program of its own
		log.Fatal("usage: index DIR")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Fprintln(os.Stdout, listener.Addr()); err != nil { //nolint:forbidigo // a program of its own
		log.Fatal(err)
	}
	x := &index{dir: os.Args[1], files: map[string][]file{}} //nolint:forbidigo // a program of its own
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/{project}/", x.page)
	mux.HandleFunc("GET /files/{version}/{file}", x.file)
	mux.HandleFunc("POST /_publish", x.publish)
	mux.HandleFunc("POST /_withdraw", x.withdraw)
	mux.HandleFunc("GET /_sent", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, x.sent.Swap(0)) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	log.Fatal(server.Serve(listener))
}

type index struct {
	dir   string
	sent  atomic.Int64
	mu    sync.Mutex
	files map[string][]file // by project
}

// file is one as PEP 691 has it.
type file struct {
	Filename string            `json:"filename"`
	URL      string            `json:"url"`
	Hashes   map[string]string `json:"hashes"`
	Size     int64             `json:"size"`
}

func (x *index) page(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.files[project]) == 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	data := map[string]any{"meta": map[string]string{"api-version": "1.0"}, "name": project, "files": x.files[project]}
	if err := json.NewEncoder(w).Encode(data); err != nil {
		log.Print(err)
	}
}

// file sends a wheel with the header that lets pip keep it, as the big index does.
func (x *index) file(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=365000000, immutable, public")
	http.ServeFile(counted{w, &x.sent}, r, x.path(r.PathValue("version"), r.PathValue("file")))
}

func (x *index) path(version, name string) string {
	return filepath.Join(x.dir, filepath.Base(version), filepath.Base(name))
}

func (x *index) publish(w http.ResponseWriter, r *http.Request) {
	version, name := r.FormValue("version"), r.FormValue("name")
	for _, p := range plans() {
		if name != "" && name != p.name {
			continue
		}
		if err := x.add(p.name, p.wheel(version)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s==%s\n", p.name, version) //nolint:gosec // to a script, not to a browser
	}
}

func (x *index) add(project string, wheel testworld.Wheel) error {
	name := wheel.FileName()
	path := x.path(wheel.Version, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	wheel.Write(testworld.Forever{}, path)
	in, err := os.Open(path) //nolint:gosec // just written
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, in)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files[project] = append(x.files[project], file{
		Filename: name, URL: "/files/" + wheel.Version + "/" + name, Size: size,
		Hashes: map[string]string{"sha256": hex.EncodeToString(sum.Sum(nil))},
	})
	return nil
}

// withdraw leaves the pages as they are: nobody asks for a version that went.
func (x *index) withdraw(w http.ResponseWriter, r *http.Request) {
	if err := os.RemoveAll(filepath.Dir(x.path(r.FormValue("version"), "x"))); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// counted counts what is sent, and leaves the kernel to copy files by itself.
type counted struct {
	http.ResponseWriter

	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// ReadFrom is what [io.Copy] uses.
func (c counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.n.Add(n)
	return n, err
}
