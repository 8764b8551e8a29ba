package uv

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/moby/buildkit/session/sshforward"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// sockets lead an exec to doors: the paths of these by what the exec asks for. They
// go the way of SSH agents. BuildKit's own end of it keeps from the exec that a
// door hangs up, so that a client waits for the rest of a file that is cut.
type sockets map[string]string

// Register implements session.Attachable.
func (s sockets) Register(server *grpc.Server) { sshforward.RegisterSSHServer(server, s) }

// CheckAgent says whether there is such a door.
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
		return nil // ends the stream, and with it the copying of what still comes
	}
}

// ending is a connection that ends, whatever broke it.
type ending struct{ *net.UnixConn }

func (e ending) Read(p []byte) (int, error) {
	n, err := e.UnixConn.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}
