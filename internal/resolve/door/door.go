package door

import (
	"context"
	"crypto/rand"
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
)

// mostRequests is how many requests are under way outside at once.
const mostRequests = 100

// longestSocket is the longest path that every system takes for a socket.
const longestSocket = 100

// Options describes a [Door].
type Options struct {
	// Client asks the hosts; one without logins where it is nil. Its connections
	// are looked at as they are made: it is best used for nothing else.
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
	pages     pages
	record    record
	slots     chan struct{}
	own       addresses // that get the login of their host, beside those of indexes

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
		slots: make(chan struct{}, mostRequests), tunnels: newTunnels(),
	}
	for _, address := range slices.Concat(o.Direct, o.Named) {
		if u, err := url.Parse(address); err == nil { // as newHosts has seen
			d.own.add(u)
		}
	}
	if d.client == nil {
		d.client = fetch.New(fetch.Options{})
	}
	ctx, d.cancel = context.WithCancel(ctx)
	d.serve(ctx, l)
	context.AfterFunc(ctx, func() { _ = d.Close() })
	return d, nil
}

// listen makes the socket, in a folder that is private.
func listen(ctx context.Context, dir string) (net.Listener, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the folder of the door: %w", err)
	case !info.IsDir() || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("folder %q of the door is open to others", dir)
	}
	socket := filepath.Join(dir, "door-"+rand.Text()[:8])
	if len(socket) > longestSocket {
		return nil, fmt.Errorf("folder %q of the door has too long a name for a socket", dir)
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

// Files returns what the pages that came through say of files, by address.
func (d *Door) Files() map[string]File { return d.files.all() }

// File returns what the pages that came through say of the file at an address.
func (d *Door) File(address string) (File, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return File{}, false
	}
	return d.files.file(u)
}

// SHA256 returns the digest and the size of what came whole from an address.
func (d *Door) SHA256(address string) (sha256 string, size int64, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", 0, false
	}
	return d.files.came(u)
}

// Close ends all connections, waits for what they do, and removes the socket.
func (d *Door) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.tunnels.close()
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
