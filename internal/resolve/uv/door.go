package uv

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"

	"github.com/moby/buildkit/session/sshforward"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"lamina.build/internal/resolve/door"
)

// doorOptions allows the addresses that a request names.
func (o Options) doorOptions(r Request) door.Options {
	options := door.Options{Client: o.HTTP, Dir: o.Dir, Direct: r.required(), Named: r.treesRequire()}
	before := versions{lock: o.Before}
	for set := range before.builds(r) {
		options.Known = append(options.Known, before.files(set)...)
	}
	options.Known = append(options.Known, before.files(r.Set)...)
	for _, i := range r.Indexes {
		options.Indexes = append(options.Indexes, door.Index{Name: i.URL, URL: i.URL, Packages: i.Packages})
	}
	for _, url := range r.free(o.Indexes) {
		options.Indexes = append(options.Indexes, door.Index{Name: url, URL: url})
	}
	for _, l := range r.links() {
		options.Indexes = append(options.Indexes, door.Index{Name: l, URL: l, Flat: true})
	}
	return options
}

// doorEnv makes uv, git and Python's own client trust the door, and isolates uv.
func doorEnv() []string {
	cert := certPath + "/" + certName
	return []string{
		"SSL_CERT_FILE=" + cert, "GIT_SSL_CAINFO=" + cert, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1",
		"UV_CACHE_DIR=/var/cache/uv", "UV_NO_GITHUB_FAST_PATH=1", "UV_PYTHON_DOWNLOADS=never", "UV_LINK_MODE=copy", "UV_PREVIEW_FEATURES=pylock",
		"UV_HTTP_RETRIES=1",   // the door retries, except for cut connections
		"UV_HTTP_TIMEOUT=300", // longer than all attempts of the door
		// Some files get a local version at release, as flash-attn's; readWheel checks them.
		"UV_SKIP_WHEEL_FILENAME_CHECK=1",
	}
}

// doorID is the ID by which an exec requests a door from its session.
func doorID(i int) string { return fmt.Sprintf("lamina-door-%d", i) }

// sockets connect an exec to doors, whose paths they have by ID, the way that SSH agents are
// forwarded. BuildKit's own provider hides from the exec that a door hung up, so that a
// client would wait for the rest of a truncated file.
type sockets map[string]string

// Register implements session.Attachable.
func (s sockets) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, s) }

// CheckAgent reports whether a door exists.
func (s sockets) CheckAgent(_ context.Context, r *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	if s[r.GetID()] == "" {
		return nil, fmt.Errorf("there is no door %q", r.GetID())
	}
	return &sshforward.CheckAgentResponse{}, nil
}

// ForwardAgent joins a stream to a door, until one of them ends.
func (s sockets) ForwardAgent(stream sshforward.SSH_ForwardAgentServer) error {
	id := ""
	if told, _ := metadata.FromIncomingContext(stream.Context()); len(told[sshforward.KeySSHID]) == 1 {
		id = told[sshforward.KeySSHID][0]
	}
	conn, err := new(net.Dialer).DialContext(stream.Context(), "unix", s[id])
	if err != nil {
		return fmt.Errorf("connecting to door %q: %w", id, err)
	}
	hungUp, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- sshforward.Copy(stream.Context(), ending{conn.(*net.UnixConn)}, stream, func() error {
			close(hungUp)
			return nil
		})
	}()
	select {
	case err := <-done:
		return err
	case <-hungUp:
		return nil // ends the stream, and with it the copying
	}
}

// ending is a connection whose read errors are all io.EOF.
type ending struct{ *net.UnixConn }

func (e ending) Read(p []byte) (int, error) {
	n, err := e.UnixConn.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// gitConfig has git use https instead of ssh on the hosts of a request, as environment
// variables: submodules and requirements of other projects use ssh, too.
func (l Logins) gitConfig(r Request) []string {
	forms := map[string]string{}
	for _, address := range r.named() {
		host := key(hostOf(address))
		for _, form := range []string{"ssh://git@" + host + "/", "git@" + host + ":", "ssh://" + host + "/"} {
			forms[form] = host
		}
	}
	for _, form := range r.ssh() { // with another port or user
		forms[form] = key(hostOf(form))
	}
	maps.DeleteFunc(forms, func(_, host string) bool { _, ok := l.of(host); return !ok })
	if len(forms) == 0 {
		return nil
	}
	config := []string{fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(forms))}
	for i, form := range slices.Sorted(maps.Keys(forms)) {
		config = append(config, fmt.Sprintf("GIT_CONFIG_KEY_%d=url.https://%s/.insteadOf", i, forms[form]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, form))
	}
	return config
}
