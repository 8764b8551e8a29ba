package engine_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	control "github.com/moby/buildkit/api/services/control"
	apitypes "github.com/moby/buildkit/api/types"
	"github.com/moby/buildkit/solver/pb"
	"google.golang.org/grpc"
)

// fakeEngine answers the preflight, and prunes nothing.
type fakeEngine struct {
	control.UnimplementedControlServer
	version     string
	snapshotter string
	pruned      chan context.Context // gets that of each prune
}

func (f fakeEngine) Info(context.Context, *control.InfoRequest) (*control.InfoResponse, error) {
	return &control.InfoResponse{BuildkitVersion: &apitypes.BuildkitVersion{Version: f.version}}, nil
}

func (f fakeEngine) ListWorkers(context.Context, *control.ListWorkersRequest) (*control.ListWorkersResponse, error) {
	return &control.ListWorkersResponse{Record: []*apitypes.WorkerRecord{{
		ID:        "fake",
		Labels:    map[string]string{"org.mobyproject.buildkit.worker.snapshotter": f.snapshotter},
		Platforms: []*pb.Platform{{OS: "linux", Architecture: "amd64"}},
	}}}, nil
}

func (f fakeEngine) Prune(_ *control.PruneRequest, stream control.Control_PruneServer) error {
	f.pruned <- stream.Context()
	return nil
}

// serve makes the fake listen where a rootless buildkitd would, and returns the runtime
// directory and the address.
func serve(t *testing.T, f fakeEngine) (runtimeDir, addr string) {
	t.Helper()
	runtimeDir = t.TempDir()
	socket := filepath.Join(runtimeDir, "buildkit", "buildkitd.sock")
	listen(t, f, socket)
	return runtimeDir, "unix://" + socket
}

func listen(t *testing.T, f fakeEngine, socket string) {
	t.Helper()
	mkdir(t, filepath.Dir(socket))
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	control.RegisterControlServer(server, f)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
}
