// Package door is the only way out of a sealed exec: a proxy on a unix socket that
// terminates the TLS of its requests, inspects them, and asks the real hosts with the
// trust store, the proxies and the logins of this machine.
//
//	exec: uv, git, backends ──▶ bridge on its loopback ──(unix socket)──▶ door ──▶ hosts
//
//	connections, their TLS, and the authority for it (serve.go, tunnel.go)
//	allowed requests and hosts                       (serve.go, hosts.go)
//	one request and its response                     (forward.go, answer.go)
//	the index that a project is bound to             (index.go)
//	index pages and their files                      (page.go, links.go, files.go)
//	checks of the bytes against the pages            (body.go)
//	the record of answers, refusals and problems     (record.go)
//	the bridge                                       (bridge.py)
//
// The exec has no logins: the door adds them outside, only for the requested host, and
// only for an index, for what its pages name, for a file or repository that is required by
// its address, and for redirects of these within their own origin.
//
// # Hosts
//
// Hosts are allowed by scheme, name and port: those of the options, those that pages of the
// indexes name for files, and those that responses of allowed hosts redirect to.
// The address of a host that only a page or a redirect names may be no more private than
// the address of the host naming it: a public index can't lead to the loopback or to a
// private network, while a company's internal index may name a file server there. https
// leads only to https, so that no login is sent in the clear. The host of an index, or of a
// requirement, may be anywhere; one that only the text of a source tree names must be
// public, and one of an earlier lock may be private. Link-local addresses, where clouds
// serve the credentials of a machine, are never asked. With a transport made by fetch, this
// is checked again for each connection, so that no name can stand for two addresses; behind
// a proxy, the proxy resolves names.
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

// mostRequests limits the concurrent requests to hosts.
const mostRequests = 100

// longestSocket is the longest socket path that every system accepts.
const longestSocket = 100

// Options describes a [Door].
type Options struct {
	// Client asks the hosts. Its connections are checked as they are made, so it is best
	// used for nothing else.
	Client *fetch.Client

	Dir     string   // the private directory for the socket
	Indexes []Index  // those that share an address are joined
	Direct  []string // addresses of required files and git remotes
	Named   []string // addresses that other texts require, whose hosts must be public
	Known   []string // addresses of files that pages named before, whose hosts may be private
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
	pages     table[page]      // targets of redirects of index pages
	passed    table[digest]    // of whole files
	came      table[lock.Page] // pages as their indexes last served them
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

// Open opens a door, which is closed when ctx ends.
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
		if u, err := url.Parse(address); err == nil { // newHosts checked them
			d.logInAt(u)
		}
	}
	ctx, d.cancel = context.WithCancel(ctx)
	d.serve(ctx, l)
	context.AfterFunc(ctx, func() { _ = d.Close() })
	return d, nil
}

// listen creates the socket, in a private directory.
func listen(ctx context.Context, dir string) (net.Listener, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the directory of the door: %w", err)
	case !info.IsDir() || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("directory %q of the door is accessible to others", dir)
	}
	socket := filepath.Join(dir, "door-"+rand.Text()[:8])
	if len(socket) > longestSocket {
		return nil, fmt.Errorf("directory %q of the door has a path too long for a socket", dir)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("opening the door: %w", err)
	}
	return l, nil
}

// Socket returns the path of the socket.
func (d *Door) Socket() string { return d.socket }

// Authority returns the CA certificate, as PEM, that the exec must trust for hosts behind
// the door.
func (d *Door) Authority() []byte { return d.authority.pem() }

// Close closes all connections, waits for their handlers, and removes the socket.
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

// Bridge returns the Python script that connects programs in an exec, which expect a proxy
// on a port, to the socket of a door:
//
//	python3 -I bridge.py SOCKET SECONDS COMMAND...
//
// It runs the command with the proxy variables set, forwards signals to it, and returns its
// status: 128 plus the signal that ended it, or 124 after the timeout, when it kills the
// process group.
func Bridge() string { return bridge }
