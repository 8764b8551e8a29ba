package door_test

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
)

func TestReach(t *testing.T) {
	tests := map[string]string{
		"93.184.216.34": "a public address", "2606:2800::1": "a public address",
		"10.1.2.3": "a private address", "172.16.0.1": "a private address", "192.168.0.1": "a private address", "100.64.0.1": "a private address", "fd12::1": "a private address",
		"127.0.0.1": "a loopback address", "::1": "a loopback address", "0.0.0.0": "a loopback address", "::ffff:127.0.0.1": "a loopback address",
		"169.254.169.254": "a link-local or metadata address", "::ffff:169.254.169.254": "a link-local or metadata address", "fe80::1%eth0": "a link-local or metadata address",
		"fd00:ec2::254": "a link-local or metadata address", "100.100.100.200": "a link-local or metadata address", "224.0.0.1": "a link-local or metadata address",
	}
	for address, want := range tests {
		if got := door.ReachOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func TestConnectionsAreLookedAt(t *testing.T) {
	h, err := door.NewHosts("https://index.example", "https://corp.example")
	if err != nil {
		t.Fatal(err)
	}
	public, private, metadata := netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254")
	check := func(what string, err error, want string) {
		t.Helper()
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	check("an index outside", h.Connect("https://index.example:443", public), "")
	check("an index inside", h.Connect("https://corp.example:443", private), "")
	check("an index of the cloud", h.Connect("https://index.example:443", metadata), "metadata")
	check("a host that nothing names", h.Connect("https://evil.example:443", public), "nothing")
	check("a file server outside", h.Admit("https://index.example/x", "https://files.example/y"), "")
	check("its address", h.Connect("https://files.example:443", public), "")
	check("its address inside", h.Connect("https://files.example:443", private), "private")
	check("a file server inside", h.Admit("https://corp.example/x", "https://files.corp.example/y"), "")
	check("its address", h.Connect("https://files.corp.example:443", private), "")
	check("its loopback", h.Connect("https://files.corp.example:443", netip.MustParseAddr("::1")), "loopback")
	check("a server that both name", h.Admit("https://corp.example/x", "https://files.example/y"), "")
	check("its address inside", h.Connect("https://files.example:443", private), "")
	check("a name that nobody may give", h.Admit("https://evil.example/", "https://other.example/"), "no index")
	check("localhost", h.Admit("https://index.example/", "https://LOCALHOST./"), "loopback")
	check("a name with an umlaut", h.Admit("https://index.example/", "https://B\u00fccher.example/"), "")
	check("as it is connected to", h.Connect("https://xn--bcher-kva.example:443", public), "")
	check("http", h.Admit("https://index.example/", "http://index.example/"), "uses https")
}

// What a tree's text or a lock names never leads to this machine.
func TestHostsOfTextsAreNotOfThisMachine(t *testing.T) {
	w := newWorld(t)
	for _, host := range []string{"10.0.0.1", "10.0.0.2", "127.0.0.1:8888", "127.0.0.2"} {
		w.host(host, text("content"))
	}
	for address, want := range map[string]int{
		"http://10.0.0.1/x": http.StatusOK, "http://127.0.0.2/x": http.StatusForbidden, "http://10.0.0.2/x": http.StatusForbidden, "https://127.0.0.1:8888/x": http.StatusOK,
	} {
		d := open(t, door.Options{
			Client: w.client, Direct: []string{"https://127.0.0.1/required"},
			Known: []string{"http://10.0.0.1/x", "http://127.0.0.2/x"}, Named: []string{"http://10.0.0.2/x", "https://127.0.0.1:8888/x"},
		})
		if a := get(t, d, address); a.code != want {
			t.Errorf("%s: got %+v", address, a)
		}
	}
}

// A login is sent over http only if the options name the address.
func TestNoLoginInTheClear(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", projects(map[string]string{"a": `<a href="http://own.example.com/a-1.whl">a</a>`}))
	w.host("own.example.com", func(rw http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		io.WriteString(rw, "for "+user)
	})
	for _, direct := range [][]string{nil, {"http://own.example.com/b-1.whl"}} {
		want := map[bool]string{true: "for ", false: "for ada"}[direct == nil]
		d := open(t, door.Options{Client: w.client, Direct: direct, Indexes: []door.Index{{Name: "plain", URL: "http://pypi.example.com/simple"}, {Name: "own", URL: own}}})
		get(t, d, "http://pypi.example.com/simple/a/")
		if a := get(t, d, "http://own.example.com/a-1.whl"); a.body != want {
			t.Errorf("required %q: got %q", direct, a.body)
		}
		data, _, err := w.client.Read(d.Guard(t.Context(), "http://pypi.example.com/simple"), "http://own.example.com/a-1.whl", 100)
		if string(data) != want {
			t.Errorf("required %q, next to the exec: got %q and %v", direct, data, err)
		}
	}
}

// Requests next to the exec go no further than the exec could.
func TestGuardIsThatOfTheDoor(t *testing.T) {
	w := newWorld(t)
	local := strings.Replace(w.plain.URL, "127.0.0.1", "localhost", 1)
	w.host(strings.TrimPrefix(local, "http://"), text("content"))
	w.host(strings.TrimPrefix(w.plain.URL, "http://"), func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, map[string]string{"/metadata": "http://metadata.google.internal/", "/local": local + "/x"}[r.URL.Path], http.StatusFound)
	})
	d := open(t, door.Options{Client: fetch.New(fetch.Options{}), Direct: []string{w.plain.URL + "/x"}})
	lone, err := door.Guard(t.Context(), w.plain.URL+"/simple")
	if err != nil {
		t.Fatal(err)
	}
	c := fetch.New(fetch.Options{Attempts: 1})
	for _, tt := range []struct {
		ctx           context.Context
		address, want string
	}{
		{d.Guard(t.Context(), ""), "http://127.0.0.3:9/x", "contacting 127.0.0.3:9: no index"},
		{d.Guard(t.Context(), ""), w.plain.URL + "/metadata", "metadata"},
		{lone, w.plain.URL + "/metadata", "metadata"},
		{d.Guard(t.Context(), ""), w.plain.URL + "/local", ""},
		{lone, w.plain.URL + "/local", ""},
		{d.Guard(t.Context(), w.plain.URL), local + "/x", ""},
	} {
		_, _, err := c.Read(tt.ctx, tt.address, 100)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.address, err, tt.want)
		}
	}
	if _, err := door.Guard(t.Context(), "file:///x"); err == nil {
		t.Error("a file became an index")
	}
}

// A door with the client's own transport checks each connection.
func TestGuardOfTheTransport(t *testing.T) {
	w := newWorld(t)
	at := w.plain.Listener.Addr().String()
	w.host(at, projects(map[string]string{"a": `<a href="http://` + strings.Replace(at, "127.0.0.1", "localhost", 1) + `/a-1.whl">a</a>`}))
	w.host(strings.Replace(at, "127.0.0.1", "localhost", 1), text("content"))
	d := open(t, door.Options{Client: fetch.New(fetch.Options{}), Indexes: []door.Index{{Name: "local", URL: "http://" + at + "/simple"}}})
	get(t, d, "http://"+at+"/simple/a/")
	if a := get(t, d, "http://"+strings.Replace(at, "127.0.0.1", "localhost", 1)+"/a-1.whl"); a.body != "content" {
		t.Errorf("got %+v, refused %q", a, reasons(d))
	}
}
