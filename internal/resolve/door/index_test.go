package door_test

import (
	"net/http"
	"strings"
	"testing"

	"lamina.build/internal/resolve/door"
)

func TestProjectsAreBound(t *testing.T) {
	page := `<a href="x-1.whl">x</a>`
	w := newWorld(t)
	all := map[string]string{"torch": page, "torch-vision": page, "numpy": page, "cu1/torch": page, "cu1/numpy": page}
	for _, host := range []string{"pypi.example.com", "own.example.com"} {
		w.host(host, projects(all))
	}
	w.host("free.example.com", projects(all))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{
		{Name: "pypi", URL: pypi},
		{Name: "own", URL: own, Packages: []string{"Torch"}},
		{Name: "own again", URL: own + "/", Packages: []string{"torch_vision"}},
		{Name: "nested", URL: own + "/cu1", Packages: []string{"jax"}},
		{Name: "free", URL: "https://free.example.com/simple/"},
	}})
	tests := []struct {
		address string
		code    int
	}{
		{pypi + "/numpy/", 200},
		{pypi + "/torch/", 404},
		{pypi + "/torch", 404},
		{pypi + "/Torch_Vision/", 404},
		{pypi + "//torch/", 404},
		{pypi + "/%74orch/", 404},
		{pypi + "/x/../torch/", 404},
		{own + "/torch/", 200},
		{own + "/torch", 200},
		{own + "/torch-vision/", 200},
		{own + "/numpy/", 404},
		{own + "/cu1/torch/", 404},
		{own + "/cu1/numpy/", 404},
		{"https://free.example.com/simple/numpy/", 200},
		{"https://free.example.com/simple/torch/", 404},
	}
	c := inside(t, d, true)
	for _, tt := range tests {
		if a := ask(t, c, http.MethodGet, tt.address); a.code != tt.code || a.err != nil {
			t.Errorf("%s: got %+v", tt.address, a)
		}
	}
	if n := len(w.came); n != 5 {
		t.Errorf("%d requests passed out", n)
	}
	if len(d.Seen()) != len(tests) || len(d.Refused())+len(d.Problems()) != 0 {
		t.Errorf("seen %d, refused %q, problems %q", len(d.Seen()), reasons(d), problems(d))
	}
}

// An index may be bound to some projects and also serve all others.
func TestAnIndexThatIsNamedTwice(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", projects(map[string]string{"torch": `<a href="x-1.whl">x</a>`, "numpy": `<a href="x-1.whl">x</a>`}))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "torch", URL: own, Packages: []string{"torch"}}, {Name: "all", URL: own + "/"}}})
	c := inside(t, d, true)
	for _, name := range []string{"torch", "numpy"} {
		if a := ask(t, c, http.MethodGet, own+"/"+name+"/"); a.code != http.StatusOK || a.err != nil {
			t.Errorf("%s: got %+v", name, a)
		}
	}
}

func TestRedirectedPageIsThatOfItsIndex(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://mirror.example.com/of/a.html", http.StatusFound)
	})
	w.host("mirror.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.Write([]byte(`<a href="https://files.example.com/a-1.whl">a</a>`))
	})
	w.host("files.example.com", text("content"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: own, Packages: []string{"a"}}}})
	if a := get(t, d, own+"/b/"); a.code != http.StatusNotFound || !strings.Contains(a.body, "bound") {
		t.Errorf("got %+v", a)
	}
	a := get(t, d, own+"/a/")
	get(t, d, a.header.Get("Location"))
	if a := get(t, d, "https://files.example.com/a-1.whl"); a.body != "content" {
		t.Errorf("got %+v", a)
	}
	if f := d.Files()["https://files.example.com/a-1.whl"]; f.Index != "own" || f.Project != "a" {
		t.Errorf("got %+v", f)
	}
}
