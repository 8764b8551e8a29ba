package uv

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// index is a site with an index below /simple and files below /f, and a door to it.
type index struct {
	*site
	told notebook
	o    Options
	door *door.Door
	r    Request
}

func newIndex(t *testing.T) *index {
	t.Helper()
	x := &index{site: newSite(t), r: Request{Set: lock.ParseSet("python")}}
	x.o = Options{HTTP: quick(), Project: directory(nil), Indexes: Indexes{Default: x.URL + "/simple"}, Note: x.told.note}
	return x
}

// page has the index list files: each one a line of HTML.
func (x *index) page(project string, lines ...string) {
	x.put("/simple/"+project+"/", []byte(strings.Join(lines, "")))
}

// opened opens a door and requests some pages or files through it.
func (x *index) opened(t *testing.T, came ...string) *index {
	t.Helper()
	options := x.o.doorOptions(x.r)
	options.Client = quick()
	x.door = openDoor(t, options)
	for _, path := range came {
		through(t, x.door, x.URL+path)
	}
	return x
}

func (x *index) complete(t *testing.T, list ...*distribution) error {
	t.Helper()
	if x.door == nil {
		x.opened(t)
	}
	return x.o.complete(t.Context(), x.r, x.door, &answer{Distributions: list})
}

// chosen returns a file as uv reports it.
func (x *index) chosen(name, version, path string, hashes ...string) *distribution {
	d := &distribution{Name: name, Version: version, Kind: kindWheel, URL: x.URL + path, File: path[strings.LastIndex(path, "/")+1:], Hashes: map[string]string{}}
	if !strings.HasSuffix(path, ".whl") {
		d.Kind = kindSdist
	}
	for _, h := range hashes {
		algorithm, sum, _ := strings.Cut(h, ":")
		d.Hashes[algorithm] = sum
	}
	return d
}

func md5Of(data []byte) string {
	s := md5.Sum(data)
	return hex.EncodeToString(s[:])
}

func sha512Of(data []byte) string {
	s := sha512.Sum512(data)
	return hex.EncodeToString(s[:])
}

func blake2bOf(data []byte) string {
	s := blake2b.Sum256(data)
	return hex.EncodeToString(s[:])
}

const commit = "0123456789012345678901234567890123456789"

const wheelPath = "/f/my_pkg-1.0-py3-none-any.whl"

func TestCompleteAWheel(t *testing.T) {
	x, data := newIndex(t), wheelOf(t, "my-pkg", "1.0", entry{name: "my_pkg/x.py", content: "x"})
	x.put(wheelPath, data)
	x.page("my-pkg", link(wheelPath, sumOf(data)))
	x.o.CacheDir = t.TempDir()
	d := x.opened(t, "/simple/my-pkg/").chosen("my-pkg", "1.0", wheelPath, "sha256:"+sumOf(data))
	d.URL += "#sha256=" + sumOf(data)
	if err := x.complete(t, d); err != nil {
		t.Fatal(err)
	}
	equal(t, "entry", d.entry(), lock.Distribution{
		Name: "my-pkg", Version: "1.0", File: someFile, URL: x.URL + wheelPath, Size: int64(len(data)), SHA256: sumOf(data),
		Index: x.URL + "/simple", Unpacked: d.wheel.Unpacked, Metadata: d.wheel.Metadata, Top: []string{"my_pkg"},
	})
	equal(t, "pages that were asked for", x.times("/simple/my-pkg/"), 1)
	equal(t, "notes", x.told.told, nil)

	// It isn't inspected again if the index lists its size.
	asked := x.times(wheelPath)
	x.put("/simple/my-pkg/", []byte(`{"files": [{"filename": "`+someFile+`", "url": "`+wheelPath+`", "size": `+strconv.Itoa(len(data))+`, "hashes": {"sha256": "`+sumOf(data)+`"}}]}`))
	again := x.opened(t, "/simple/my-pkg/").chosen("my-pkg", "", wheelPath, "sha256:"+sumOf(data))
	if err := x.complete(t, again); err != nil {
		t.Fatal(err)
	}
	equal(t, "requests of the file", x.times(wheelPath), asked)
	equal(t, "what it holds", again.wheel, d.wheel)
	equal(t, "version", again.Version, "1.0")

	// A wheel cached by its sha256 must still match the file's name.
	other := x.chosen("other", "1.0", wheelPath, "sha256:"+sumOf(data))
	x.page("other", link(wheelPath, sumOf(data)))
	refused(t, x.complete(t, other), `"my_pkg-1.0-py3-none-any.whl" can't be the name of other's wheel`)
}

func TestCompleteWhatIndexesDoNotSay(t *testing.T) {
	sdist := []byte("an sdist")
	const path = "/f/my-pkg-1.0.tar.gz"
	for _, tt := range []struct {
		name, page string
		came       []string
		hashes     []string
		want       string
	}{
		{"nothing at all", link(path, ""), nil, nil, ""},
		{"it came through the door", link(path, ""), []string{path}, nil, ""},
		{"another hash", `<a href="` + path + "#md5=" + md5Of(sdist) + `">my-pkg-1.0.tar.gz</a>`, nil, nil, ""},
		{"another hash, a wrong one", `<a href="` + path + "#md5=" + md5Of(nil) + `">my-pkg-1.0.tar.gz</a>`, nil, nil, "its md5 is " + md5Of(sdist) + ", but " + md5Of(nil) + " is expected"},
		{"uv's own", link(path, ""), nil, []string{"sha256:" + sumOf(sdist)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t)
			x.put(path, sdist)
			x.page("my-pkg", tt.page)
			d := x.opened(t, append([]string{"/simple/my-pkg/"}, tt.came...)...).chosen("my-pkg", "1.0", path, tt.hashes...)
			err := x.complete(t, d)
			if tt.want != "" {
				refused(t, err, tt.want)
				return
			}
			if err != nil || d.Hashes["sha256"] != sumOf(sdist) || d.Size != int64(len(sdist)) || d.Index != x.URL+"/simple" {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// Bytes that arrive one by one are no stall, but reach the time limit.
func TestFilesThatDrip(t *testing.T) {
	const path = "/f/my-pkg-1.0.tar.gz"
	x := newIndex(t)
	x.o.Limit = 300 * time.Millisecond
	x.mu.Lock()
	x.pages[path] = func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	}
	x.mu.Unlock()
	x.page("my-pkg", link(path, ""))
	err := x.complete(t, x.opened(t, "/simple/my-pkg/").chosen("my-pkg", "1.0", path))
	if want := "python: " + x.URL + path + ": it took longer than 300ms"; err == nil || err.Error() != want || failure.KindOf(err) != failure.Transient {
		t.Errorf("got %v of the kind %v, want %q", err, failure.KindOf(err), want)
	}
}

func TestIndexesThatSayOtherThings(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	t.Run("hash", func(t *testing.T) {
		x := newIndex(t)
		x.put(wheelPath, data)
		x.page("my-pkg", link(wheelPath, sumOf(data)))
		x.r.Files = requirements(t, map[string]string{"requirements.txt": "six\n", "constraints.txt": "\nmy_pkg<2\n"})
		err := x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath, "sha256:"+sumOf(nil)))
		want := "constraints.txt:2: python: " + x.URL + wheelPath + ": " + x.URL + "/simple lists sha256 " + sumOf(data) + " for it, but uv reports " + sumOf(nil)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
	t.Run("size", func(t *testing.T) {
		x := newIndex(t)
		x.put(wheelPath, data)
		x.page("my-pkg", `{"files": [{"filename": "`+someFile+`", "url": "`+wheelPath+`", "size": 3, "hashes": {"sha256": "`+sumOf(data)+`"}}]}`)
		err := x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath))
		if want := " has more than 3 bytes"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("no file", func(t *testing.T) {
		x := newIndex(t)
		x.page("my-pkg", link(wheelPath, sumOf(data)))
		err := x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath))
		refused(t, err, "python: "+x.URL+wheelPath+": ", "404")
	})
	t.Run("led elsewhere", func(t *testing.T) {
		x := newIndex(t)
		x.pages[wheelPath] = http.RedirectHandler("http://metadata.google.internal/", http.StatusFound).ServeHTTP
		x.page("my-pkg", link(wheelPath, sumOf(data)))
		refused(t, x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath)), "contacting metadata.google.internal: it is a link-local or metadata address")
		x.pages["/simple/kept/"] = http.RedirectHandler("http://metadata.google.internal/", http.StatusFound).ServeHTTP
		refused(t, x.complete(t, x.chosen("kept", "1.0", "/f/kept-1.0.tar.gz")), "contacting metadata.google.internal: it is")
	})
	t.Run("no wheel", func(t *testing.T) {
		x := newIndex(t)
		x.put(wheelPath, []byte("<html>"))
		x.page("my-pkg", link(wheelPath, sumOf([]byte("<html>"))))
		refused(t, x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath)), "it is not a wheel")
	})
	t.Run("all at once", func(t *testing.T) {
		x := newIndex(t)
		x.page("a", link("/f/a-1.0-py3-none-any.whl", ""))
		x.page("b", link("/f/b-1.0.tar.gz", ""))
		x.opened(t, "/simple/a/", "/simple/b/")
		err := x.o.complete(t.Context(), x.r, x.door, &answer{
			Distributions: []*distribution{x.chosen("a", "1.0", "/f/a-1.0-py3-none-any.whl")},
			Builds:        map[string][]*distribution{"a": {x.chosen("b", "1.0", "/f/b-1.0.tar.gz")}},
		})
		refused(t, err, "/f/a-1.0-py3-none-any.whl: ", "\n", "/f/b-1.0.tar.gz: ")
	})
}

func TestPagesThatUVHadKept(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	setup := func(t *testing.T) (*index, *distribution) {
		t.Helper()
		x := newIndex(t)
		x.put(wheelPath, data)
		x.page("my-pkg", link(wheelPath, sumOf(data)))
		return x, x.chosen("my-pkg", "1.0", wheelPath, "sha256:"+sumOf(data))
	}
	t.Run("asked for", func(t *testing.T) {
		x, d := setup(t)
		if err := x.complete(t, d); err != nil || d.Index != x.URL+"/simple" {
			t.Errorf("%q, %v", d.Index, err)
		}
	})
	t.Run("where an index leads, packed", func(t *testing.T) {
		x, d := setup(t)
		var page bytes.Buffer
		z := gzip.NewWriter(&page)
		_, _ = z.Write([]byte(link("../../../f/my%5fpkg-1.0-py3-none-any.whl", sumOf(data))))
		_ = z.Close()
		x.pages["/simple/my-pkg/"] = http.RedirectHandler("/deep/+simple/my-pkg/", http.StatusFound).ServeHTTP
		x.pages["/deep/+simple/my-pkg/"] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(page.Bytes())
		}
		if err := x.complete(t, d); err != nil || d.Index != x.URL+"/simple" || d.URL != x.URL+wheelPath {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("with another hash there", func(t *testing.T) {
		x, d := setup(t)
		d.Hashes["sha256"] = sumOf(nil)
		if err := x.complete(t, d); err == nil || !strings.Contains(err.Error(), "but uv reports") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of another index, where one has nothing to say", func(t *testing.T) {
		for _, code := range []int{http.StatusForbidden, http.StatusNotFound} {
			x, d := setup(t)
			x.status("/torch/my-pkg/", code)
			x.o.Indexes.Further = []string{x.URL + "/torch"}
			if err := x.complete(t, d); err != nil || d.Index != x.URL+"/simple" || x.times("/torch/my-pkg/") != 1 {
				t.Errorf("%q, %v", d.Index, err)
			}
		}
	})
	t.Run("bound", func(t *testing.T) {
		x, d := setup(t)
		x.put("/torch/my-pkg/", []byte(link(wheelPath, sumOf(data))))
		x.r.Indexes = []Index{{Name: "torch", URL: x.URL + "/torch", Packages: []string{"my-pkg"}}}
		if err := x.complete(t, d); err != nil || d.Index != x.URL+"/torch" || x.times("/simple/my-pkg/") > 0 {
			t.Errorf("%q, %v", d.Index, err)
		}
	})
	t.Run("of links", func(t *testing.T) {
		x, d := setup(t)
		x.page("my-pkg")
		x.put("/links/", []byte(link(wheelPath, "")))
		x.r.Files.FindLinks = []string{"wheels", x.URL + "/links/"}
		if err := x.complete(t, d); err != nil || d.Index != x.URL+"/links/" {
			t.Errorf("%q, %v", d.Index, err)
		}
	})
	t.Run("of the lock before", func(t *testing.T) {
		x, d := setup(t)
		x.o.Before.Distributions = []lock.Distribution{{Name: "my-pkg", URL: d.URL, File: someFile, SHA256: sumOf(data), Size: int64(len(data)), Index: DefaultIndex}}
		if err := x.complete(t, d); err != nil || d.Index != DefaultIndex || x.times("/simple/my-pkg/") > 0 {
			t.Errorf("%q, %v", d.Index, err)
		}
	})
	t.Run("of the lock before, from an index that nobody names", func(t *testing.T) {
		x, d := setup(t)
		x.o.Before.Distributions = []lock.Distribution{{Name: "my-pkg", URL: d.URL, File: someFile, SHA256: sumOf(data), Size: int64(len(data)), Index: "https://then.example"}}
		if err := x.complete(t, d); err != nil || d.Index != x.URL+"/simple" {
			t.Errorf("%q, %v", d.Index, err)
		}
	})
	t.Run("of the lock before, with another hash", func(t *testing.T) {
		x, d := setup(t)
		x.o.Before.Distributions = []lock.Distribution{{Name: "my-pkg", URL: d.URL, File: someFile, SHA256: sumOf(nil), Index: "https://then.example"}}
		if err := x.complete(t, d); err != nil || d.Index != x.URL+"/simple" {
			t.Errorf("%q, %v", d.Index, err)
		}
	})
	t.Run("an index that is down", func(t *testing.T) {
		x, d := setup(t)
		x.status("/simple/my-pkg/", http.StatusServiceUnavailable)
		if err := x.complete(t, d); failure.KindOf(err) != failure.Transient {
			t.Errorf("got %v", err)
		}
	})
}

func TestFilesThatNobodyNames(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	setup := func(t *testing.T) (*index, *distribution) {
		t.Helper()
		x := newIndex(t)
		x.put(wheelPath, data)
		return x, x.chosen("my-pkg", "1.0", wheelPath)
	}
	t.Run("refused", func(t *testing.T) {
		x, d := setup(t)
		d.URL += "?sig=secret"
		refused(t, x.complete(t, d), "python: "+x.URL+wheelPath+"?…: no index or requirement names this file")
	})
	t.Run("refused in a project", func(t *testing.T) {
		x, d := setup(t)
		x.r.Project, x.r.ProjectTexts = ".", []string{"['my-pkg', 'x @ " + d.URL + ".zip']"} // it begins with the address
		refused(t, x.complete(t, d), "no index or requirement names this file")
	})
	t.Run("refused of another project's line", func(t *testing.T) {
		x, d := setup(t)
		x.r.Files = requirements(t, map[string]string{"requirements.txt": "other @ " + d.URL + "\n"})
		refused(t, x.complete(t, d), "no index or requirement names this file")
	})
	t.Run("refused of another project's page", func(t *testing.T) {
		x, d := setup(t)
		x.page("evil", link("/f/evil-2.0.tar.gz", ""))
		d.Name, d.Kind, d.URL, d.File = "requests", kindSdist, x.URL+"/f/evil-2.0.tar.gz", "requests-2.0.tar.gz"
		refused(t, x.opened(t, "/simple/evil/").complete(t, d), "no index or requirement names this file")
	})
	t.Run("refused of a page of links", func(t *testing.T) {
		x, d := setup(t)
		x.put("/links/", []byte(link("/f/evil-2.0.tar.gz", "")))
		x.r.Files.FindLinks = []string{x.URL + "/links/"}
		d.Name, d.Kind, d.URL, d.File = "requests", kindSdist, x.URL+"/f/evil-2.0.tar.gz", "requests-2.0.tar.gz"
		refused(t, x.opened(t, "/links/").complete(t, d), "no index or requirement names this file")
	})
	t.Run("refused of an index of other projects", func(t *testing.T) {
		x, d := setup(t)
		x.page("my-pkg", link(wheelPath, ""))
		x.opened(t, "/simple/my-pkg/")
		x.r.Indexes = []Index{{Name: "own", URL: x.URL + "/own", Packages: []string{"my-pkg"}}}
		refused(t, x.complete(t, d), "no index or requirement names this file")
	})
	t.Run("refused without indexes", func(t *testing.T) {
		x, d := setup(t)
		x.r.Files.NoIndex = true
		refused(t, x.complete(t, d), "no index or requirement names this file")
	})
	for name, named := range map[string]func(x *index, address string){
		"by a requirement": func(x *index, address string) {
			x.r.Files.Requirements = []reqfile.Requirement{{Name: "my-pkg", URL: address, Line: "my-pkg @ " + address}}
		},
		"by a constraint": func(x *index, address string) {
			x.r.Files.Constraints = []reqfile.Requirement{{Name: "my-pkg", URL: address, Line: "my-pkg @ " + address}}
		},
		"by an override": func(x *index, address string) { x.r.Overrides = []string{"my-pkg @ " + address} },
		"by a build's":   func(x *index, address string) { x.r.BuildRequires = map[string][]string{"x": {"my-pkg @ " + address}} },
		"by the lock of the user": func(x *index, address string) {
			x.r.Lock, x.r.LockText = "pylock.toml", "wheels = [{url = '"+address+"'}]"
		},
		"by the project's": func(x *index, address string) {
			x.r.Project, x.r.LockText = "p", "{ url = \""+address+"\", hash"
		},
		"in another spelling": func(x *index, address string) {
			x.r.Overrides = []string{"my-pkg @ " + strings.Replace(address, "/f/my_pkg", "/./f/x/../my%5Fpkg", 1) + "#egg=x"}
		},
		"by a source tree": func(x *index, address string) {
			x.r.TreeTexts = []string{"[\"my-pkg @ " + address + "\"]"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x, d := setup(t)
			named(x, d.URL)
			if err := x.complete(t, d); err != nil || d.Index != "" || d.Hashes["sha256"] != sumOf(data) || d.Size != int64(len(data)) {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// Another tool's lock is checked against the indexes before a build downloads anything.
func TestLocksOfOthersAreVouchedFor(t *testing.T) {
	data, zeros := wheelOf(t, "my-pkg", "1.0"), strings.Repeat("0", 64)
	const note = "python: no reachable index confirms the sha256 of 1 file; a build checks it"
	for name, tt := range map[string]struct {
		page    string // of the index; "" has none
		said    string // by the lock
		own     bool   // the index is one that the lock names
		asked   int    // how often
		problem string
		notes   []string
	}{
		"right":                    {link(wheelPath, sumOf(data)), sumOf(data), false, 1, "", nil},
		"wrong":                    {link(wheelPath, sumOf(data)), zeros, false, 1, "lists sha256 " + sumOf(data) + " for it, but the lock that names it has " + zeros, nil},
		"wrong by its own index":   {link(wheelPath, sumOf(data)), zeros, true, 1, "but the lock that names it has " + zeros, nil},
		"in capitals":              {link(wheelPath, sumOf(data)), strings.ToUpper(sumOf(data)), false, 1, "", nil},
		"an index of other files":  {link("/f/my_pkg-2.0-py3-none-any.whl", zeros), sumOf(data), false, 1, "", []string{note}},
		"an index without hashes":  {link(wheelPath, ""), sumOf(data), false, 1, "", []string{note}},
		"an index without project": {"", sumOf(data), true, 1, "", []string{note}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newIndex(t)
			x.put(wheelPath, data)
			if tt.page != "" {
				x.page("my-pkg", tt.page)
			}
			d := x.chosen("my-pkg", "1.0", wheelPath, "sha256:"+tt.said)
			x.r.Lock, x.r.LockText = "pylock.toml", "index = '"+x.URL+"/simple'\nwheels = [{url = '"+d.URL+"'}]"
			if tt.own {
				d.Index, x.o.Indexes = x.URL+"/simple", Indexes{}
			}
			err := x.complete(t, d)
			if tt.problem == "" && (err != nil || d.Hashes["sha256"] != sumOf(data)) || tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem) || failure.KindOf(err) != failure.Usage) {
				t.Errorf("got %v", err)
			}
			equal(t, "notes", x.told.told, tt.notes)
			equal(t, "requests", x.times("/simple/my-pkg/"), tt.asked)
		})
	}
	t.Run("of the lock before", func(t *testing.T) {
		x := newIndex(t)
		x.put(wheelPath, data)
		d := x.chosen("my-pkg", "1.0", wheelPath, "sha256:"+sumOf(data))
		x.r.Lock, x.r.LockText = "pylock.toml", "url = '"+d.URL+"'"
		x.o.Before.Distributions = []lock.Distribution{{Name: "my-pkg", URL: d.URL, SHA256: sumOf(data)}}
		if err := x.complete(t, d); err != nil {
			t.Error(err)
		}
		equal(t, "requests", x.times("/simple/my-pkg/"), 0)
	})
}

func TestHashesOfLines(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	zeros := strings.Repeat("0", 64)
	for _, tt := range []struct {
		name, text string
		want       string
	}{
		{"sha256", "my_pkg==1.0 --hash=sha256:" + sumOf(data), ""},
		{"one of two", "my_pkg==1.0 --hash=sha256:" + zeros + " --hash=sha256:" + sumOf(data), ""},
		{"sha512", "my_pkg==1.0 --hash=sha512:" + sha512Of(data), ""},
		{"none of two", "my_pkg==1.0 --hash=sha256:" + zeros + " --hash=sha512:" + zeros + zeros, "requirements.txt:1: python: URL: its sha256 is " + sumOf(data) + ", which matches none of the 2 --hash options of its line"},
		{"sha512, a wrong one", "my_pkg==1.0 --hash=sha512:" + zeros + zeros, "which matches none of the 1 --hash options of its line"},
		{"required, a wrong one", "--require-hashes\nmy_pkg==1.0 --hash=sha256:" + zeros, "requirements.txt:2: python: URL: its sha256 is " + sumOf(data) + ", which matches none of the 1 --hash options of its line"},
		{"of another line", "my_pkg==1.0\nsix==1 --hash=sha256:" + zeros, ""},
		{"of an address", "my_pkg @ URL#sha256=" + sumOf(data), ""},
		{"of an address, a wrong one", "my_pkg @ URL#sha256=" + zeros, "which matches none of the 1 --hash options"},
		{"of an address, md5", "my_pkg @ URL#md5=" + md5Of(data), ""},
		{"of an address, a wrong md5", "my_pkg @ URL#md5=" + md5Of(nil), "which matches none of the 1 --hash options"},
		{"of an address, with more", "my_pkg @ URL#egg=my_pkg&sha512=" + sha512Of(data), ""},
		{"of an address, no hash at all", "my_pkg @ URL#sha256=xyz", "which matches none of the 1 --hash options"},
		{"md5", "my_pkg==1.0 --hash=md5:" + md5Of(data), ""},
		{"blake2b", "my_pkg==1.0 --hash=blake2b:" + blake2bOf(data), ""},
		{"blake2b, a wrong one", "my_pkg==1.0 --hash=blake2b:" + zeros, "which matches none of the 1 --hash options"},
		{"required, and there", "--require-hashes\nmy_pkg==1.0 --hash=sha256:" + sumOf(data), ""},
		{"required, and not there", "--require-hashes\nmy_pkg==1.0", "requirements.txt:2: python: URL: --require-hashes requires a --hash for everything, but no line has one for this"},
		{"required, and not there for what others require", "--require-hashes\nsix==1 --hash=sha256:" + zeros, "--require-hashes requires a --hash for everything"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t)
			x.put(wheelPath, data)
			x.page("my-pkg", link(wheelPath, sumOf(data)))
			x.r.Files = requirements(t, map[string]string{"requirements.txt": strings.ReplaceAll(tt.text, "URL", x.URL+wheelPath) + "\n"})
			err := x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath))
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			refused(t, err, strings.ReplaceAll(tt.want, "URL", x.URL+wheelPath))
			if hints := failure.Hints(err); strings.Contains(tt.want, "none of") && (len(hints) != 1 || !strings.HasSuffix(hints[0], "add --hash=sha256:"+sumOf(data)+" if that is the right one")) {
				t.Errorf("hints are %q", hints)
			}
		})
	}
}

// A build may use another version than the image, to which no line applies.
func TestHashesOfLinesAreOfTheImage(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	x := newIndex(t)
	x.put(wheelPath, data)
	x.page("my-pkg", link(wheelPath, sumOf(data)))
	x.r.Files = requirements(t, map[string]string{"requirements.txt": "--require-hashes\nmy_pkg==2.0 --hash=sha256:" + sumOf(nil) + "\n"})
	x.opened(t)
	a := &answer{Builds: map[string][]*distribution{"x": {x.chosen("my-pkg", "1.0", wheelPath)}}}
	if err := x.o.complete(t.Context(), x.r, x.door, a); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestHashesOfLinesForFilesNextToTheSpec(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	for line, want := range map[string]string{
		"./wheels/" + someFile + " --hash=sha256:" + sumOf(data):        "",
		"./wheels/" + someFile + " --hash=sha512:" + sha512Of(data):     "",
		"./wheels/" + someFile + " --hash=sha256:" + sumOf(nil):         "requirements.txt:1: python: file:wheels/" + someFile + ": its sha256 is " + sumOf(data) + ", which matches none of the 1 --hash options of its line",
		"./wheels/my.tar.gz --hash=sha256:" + sumOf([]byte("an sdist")): "",
		"./wheels/my.tar.gz --hash=sha256:" + sumOf(nil):                "file:wheels/my.tar.gz: its sha256 is " + sumOf([]byte("an sdist")),
		"--find-links wheels\nmy-pkg==1.0 --hash=sha256:" + sumOf(nil):  "requirements.txt:2: python: ",
		"--find-links wheels\nmy-pkg==1.0 --hash=sha256:" + sumOf(data): "",
		"--require-hashes\n./wheels/" + someFile:                        "--require-hashes requires a --hash for everything",
		"--require-hashes\ngit @ git+https://g.example/r@" + commit:     "--require-hashes requires a --hash for everything",
	} {
		t.Run(line, func(t *testing.T) {
			files := map[string]string{"requirements.txt": line + "\n", "wheels/" + someFile: string(data), "wheels/my.tar.gz": "an sdist"}
			x := newIndex(t)
			x.o.Project, x.r.Files = directory(files), requirements(t, files)
			d := &distribution{Name: "my-pkg", Version: "1.0", Kind: kindWheel, URL: "file://" + projectPath + "/wheels/" + someFile}
			if strings.Contains(line, "tar.gz") {
				d.Kind, d.URL = kindSdist, "file://"+projectPath+"/wheels/my.tar.gz"
			} else if strings.Contains(line, "git") {
				d.Name, d.Kind, d.URL = "git", kindGit, "git+https://g.example/r@"+commit
			}
			if err := x.complete(t, d); want != "" {
				refused(t, err, want)
			} else if err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNotesOfFiles(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	for _, tt := range []struct {
		name, attributes string
		want             []string
	}{
		{"nothing odd", `data-core-metadata="sha256=` + sumOf([]byte(metadataOf("my-pkg", "1.0"))) + `"`, nil},
		{"yanked", `data-yanked=""`, []string{"python: my-pkg 1.0 was yanked from its index"}},
		{"yanked, and why", `data-yanked="it is broken"`, []string{"python: my-pkg 1.0 was yanked from its index: it is broken"}},
		{"other metadata", `data-yanked="" data-core-metadata="sha256=` + sumOf(nil) + `"`, []string{
			"python: my-pkg 1.0 was yanked from its index",
			"python: the requirements of my-pkg 1.0 in the index differ from the METADATA in its wheel",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t)
			x.put(wheelPath, data)
			x.page("my-pkg", `<a href="`+wheelPath+`" `+tt.attributes+`>`+someFile+`</a>`)
			if err := x.opened(t, "/simple/my-pkg/").complete(t, x.chosen("my-pkg", "1.0", wheelPath)); err != nil {
				t.Fatal(err)
			}
			equal(t, "notes", x.told.told, tt.want)
		})
	}
}

func TestFilesNextToTheSpec(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	local := func(name string, hashes map[string]string) *distribution {
		return &distribution{Name: "my-pkg", Kind: kindWheel, URL: "file://" + name, Hashes: hashes}
	}
	for _, tt := range []struct {
		name string
		d    *distribution
		want string
	}{
		{"there", local(projectPath+"/wheels/"+someFile, nil), ""},
		{"with an escape", local(projectPath+"/wheels/my_pkg-1.0-py3-none-%61ny.whl", nil), ""},
		{"promised", local(projectPath+"/wheels/"+someFile, map[string]string{"sha256": sumOf(data), "md5": md5Of(data), "odd": "x"}), ""},
		{"promised otherwise", local(projectPath+"/wheels/"+someFile, map[string]string{"sha512": sha512Of(nil)}), "python: file:wheels/" + someFile + ": its sha512 is " + sha512Of(data) + ", but " + sha512Of(nil) + " is expected"},
		{"missing", local(projectPath+"/wheels/my_pkg-2.0-py3-none-any.whl", nil), "python: file:wheels/my_pkg-2.0-py3-none-any.whl: open wheels/my_pkg-2.0-py3-none-any.whl: file does not exist"},
		{"of an odd name", local(projectPath+"/own (1).whl", nil), `"own (1).whl" can't be the name of my-pkg's wheel`},
		{"of an odd kind", &distribution{Name: "my-pkg", Kind: kindSdist, URL: "file://" + projectPath + "/wheels/" + someFile}, "can't be the name of my-pkg's sdist"},
		{"of another project", &distribution{Name: "my", Kind: kindWheel, URL: "file://" + projectPath + "/wheels/" + someFile}, "can't be the name of my's wheel"},
		{"outside", local("/etc/passwd", nil), "/etc/passwd is outside the spec's directory"},
		{"outside on the way", local(projectPath+"/../x.whl", nil), "is outside the spec's directory"},
		{"no wheel", local(projectPath+"/my_pkg-9.0-py3-none-any.whl", nil), "it is not a wheel"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t)
			x.o.Project = directory(map[string]string{"wheels/" + someFile: string(data), "my_pkg-9.0-py3-none-any.whl": "x"})
			err := x.complete(t, tt.d)
			if tt.want != "" {
				refused(t, err, tt.want)
				return
			}
			if err != nil || tt.d.URL != "file:wheels/"+someFile || tt.d.File != someFile || tt.d.Version != "1.0" || tt.d.Size != int64(len(data)) || tt.d.Hashes["sha256"] != sumOf(data) || tt.d.wheel == nil {
				t.Errorf("%+v, %v", tt.d, err)
			}
		})
	}
}

func TestCommits(t *testing.T) {
	for url, want := range map[string]string{
		"git+https://g.example/r@0123456789012345678901234567890123456789#subdirectory=x": "",
		"git+http://g.example/r@0123456789012345678901234567890123456789":                 "",
		"git+https://git@g.example/r@0123456789012345678901234567890123456789":            "",
		"git+ssh://git@g.example/r@01":                                                    `g.example: a repository there has an ssh address, but a lock has no ssh key`,
		"git+https://h.example/r@0123456789012345678901234567890123456789":                ": no requirement names its host",
		"git+file:///srv/r@01": `: only repositories at https:// and http:// addresses can be locked`,
	} {
		x := newIndex(t)
		x.r.Overrides = []string{"r @ git+https://g.example/r"}
		d := &distribution{Name: "r", Kind: kindGit, URL: url}
		err := x.complete(t, d)
		if strings.Contains(d.URL, "https://git@") {
			t.Errorf("%s: its address has a user", d.URL)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}

func TestFindUV(t *testing.T) {
	pinned, err := uvWheel("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if arm, armErr := uvWheel("linux/arm64"); armErr != nil || arm.SHA256 == pinned.SHA256 || arm.Version != pinned.Version {
		t.Errorf("%+v, %v", arm, armErr)
	}
	_, err = uvWheel("linux/riscv64")
	refused(t, err, `platform "linux/riscv64": Lamina has no uv for it`)
	for _, tt := range []struct {
		name, page string
		isOwn      bool
	}{
		{"there", link("/f/"+pinned.File, pinned.SHA256), true},
		{"altered", link("/f/"+pinned.File, sumOf(nil)), false},
		{"another file", link("/f/uv-1-py3-none-any.whl", pinned.SHA256), false},
		{"not there", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t)
			if tt.page != "" {
				x.page("uv", tt.page)
			}
			got, err := x.o.findUV(t.Context(), "linux/amd64")
			want := pinned
			if tt.isOwn {
				want.URL = x.URL + "/f/" + pinned.File
			}
			if err != nil || got != want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	x := newIndex(t)
	x.o.Indexes.Default = DefaultIndex + "/"
	if got, err := x.o.findUV(t.Context(), "linux/amd64"); err != nil || got != pinned {
		t.Errorf("%+v, %v", got, err)
	}
}

// Notes come one at a time, in a fixed order.
func TestNotesComeInOrder(t *testing.T) {
	x := newIndex(t)
	var list []*distribution
	var pages, want []string
	for _, name := range []string{"e", "d", "c", "b", "a"} {
		path := "/f/" + name + "-1.0.tar.gz"
		x.put(path, []byte(name))
		x.page(name, `<a href="`+path+`" data-yanked="">x</a>`)
		pages = append(pages, "/simple/"+name+"/")
		list = append(list, x.chosen(name, "1.0", path))
		want = append([]string{"python: " + name + " 1.0 was yanked from its index"}, want...)
	}
	var told bytes.Buffer // safe for one goroutine only
	x.o.Note = func(line string) { told.WriteString(line + "\n") }
	if err := x.opened(t, pages...).complete(t, list...); err != nil {
		t.Fatal(err)
	}
	equal(t, "notes", told.String(), strings.Join(want, "\n")+"\n")
}
