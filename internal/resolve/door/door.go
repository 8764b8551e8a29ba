// Package door is the one door of a sealed exec: a proxy on a unix socket that
// ends the TLS of what comes out, looks at it, and asks the real hosts with the
// trust store, the proxies and the logins of this machine.
//
//	exec: uv, git, backends ──▶ bridge on its loopback ──(unix socket)──▶ door ──▶ hosts
//
//	connections, the TLS in them, and whom the exec trusts (serve.go, tunnel.go)
//	what may be asked for, and of whom                     (serve.go, hosts.go)
//	one request and its answer                             (forward.go, answer.go)
//	which index a project is bound to                      (index.go)
//	what index pages say of files                          (page.go, links.go, files.go)
//	whether the bytes are those that they promise          (body.go)
//	what was seen, refused, and went wrong                 (record.go)
//	the bridge                                             (bridge.py)
//
// Nothing in the exec speaks with a login of its own, and none comes in: logins
// are added outside, for the host that is asked and for no other, and only to an
// index, to what its pages name, to a file or repository that is required by its
// address, and to where one of these redirects on its own origin.
//
// # Hosts
//
// A host is allowed with its scheme and its port: those of the options, those that
// pages of the indexes name for files, and those that answers of allowed hosts
// redirect to.
// A host that only a page or a redirect names may be on a kind of address that
// is no more private than the one its namer is on: a public index can't lead to
// the loopback or to a private network, while an index inside of a company may
// name its file server there. What is asked by https leads to https alone, so
// that no login goes out in the clear. The host of an index, or of what is required,
// may be anywhere; one that only a text of a source tree names has to be public, and
// one of a lock before may be private. Link-local addresses, where clouds keep the credentials
// of a machine, are never asked. Where the client has the transport that fetch
// makes, this is checked again as each connection is made, so that no name can
// stand for two addresses; behind a proxy, names are for the proxy to look up.
package door

import (
	"context"
	"crypto/rand"
	_ "embed" // the script
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// mostRequests is how many requests are under way outside at once.
const mostRequests = 100

// longestSocket is the longest path that every system takes for a socket.
const longestSocket = 100

// Options describes a [Door].
type Options struct {
	// Client asks the hosts. Its connections are looked at as they are made: it is
	// best used for nothing else.
	Client *fetch.Client

	Dir     string   // where the socket is made; nobody else may enter it
	Indexes []Index  // those with one address are joined
	Direct  []string // addresses that are required: of files, and of git's remotes
	Named   []string // those that other texts require: a host of these has to be public
	Known   []string // those of files that pages named before: a host of these may be private
}

// Door lets requests of one exec out, and records them. It may be used from
// many goroutines at once.
type Door struct {
	client    *fetch.Client
	socket    string
	authority *authority
	hosts     *hosts
	bindings  bindings
	files     *files
	pages     table[page]      // besides those of indexes: where these redirect to
	passed    table[digest]    // of what came whole
	came      table[lock.Page] // pages as their indexes served them last
	own       table[bool]      // addresses that get the login of their host, besides those of indexes
	record    record
	slots     chan struct{}

	cancel  context.CancelFunc
	outer   *http.Server // of the socket
	inner   *http.Server // of the TLS in its tunnels
	tunnels *tunnels
	running sync.WaitGroup // the servers and their handlers
	mu      sync.Mutex
	closed  bool
}

// Open makes a door, which is closed when ctx ends.
func Open(ctx context.Context, o Options) (*Door, error) {
	h, err := newHosts(o)
	if err != nil {
		return nil, err
	}
	a, err := newAuthority(time.Now())
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	l, err := listen(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	d := &Door{
		client: o.Client, socket: l.Addr().String(), authority: a, hosts: h,
		bindings: newBindings(o.Indexes), files: newFiles(),
		slots: make(chan struct{}, mostRequests),
	}
	for _, address := range slices.Concat(o.Direct, o.Named) {
		if u, err := url.Parse(address); err == nil { // as newHosts has seen
			d.logInAt(u)
		}
	}
	ctx, d.cancel = context.WithCancel(ctx)
	d.serve(ctx, l)
	context.AfterFunc(ctx, func() { _ = d.Close() })
	return d, nil
}

// listen makes the socket, in a directory that is private.
func listen(ctx context.Context, dir string) (net.Listener, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the directory of the door: %w", err)
	case !info.IsDir() || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("directory %q of the door is open to others", dir)
	}
	socket := filepath.Join(dir, "door-"+rand.Text()[:8])
	if len(socket) > longestSocket {
		return nil, fmt.Errorf("directory %q of the door has too long a name for a socket", dir)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("opening the door: %w", err)
	}
	return l, nil
}

// Socket returns the path of the socket.
func (d *Door) Socket() string { return d.socket }

// Authority returns the certificate, as PEM, that vouches inside of the exec
// for each host that is asked through the door.
func (d *Door) Authority() []byte { return d.authority.pem() }

// Close ends all connections, waits for what they do, and removes the socket.
func (d *Door) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	err := errors.Join(d.outer.Close(), d.inner.Close())
	d.running.Wait()
	if errors.Is(err, net.ErrClosed) { // a second time
		return nil
	}
	return err
}

// enter counts a handler as running, unless the door is closed.
func (d *Door) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.running.Add(1)
	}
	return !d.closed
}

//go:embed bridge.py
var bridge string

// Bridge returns the Python script that stands in an exec between programs that
// speak to a proxy on a port, and the socket of a door:
//
//	python3 -I bridge.py SOCKET SECONDS COMMAND...
//
// It runs the command with the proxy variables set, hands signals on to it, and
// returns its status: 128 and the signal that ended it, or 124 once the seconds
// are over, when its process group is killed.
func Bridge() string { return bridge }
