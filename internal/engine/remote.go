package engine

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	// Each helper registers the address scheme of its name.
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer"
	_ "github.com/moby/buildkit/client/connhelper/kubepod"
	_ "github.com/moby/buildkit/client/connhelper/nerdctlcontainer"
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer"
	_ "github.com/moby/buildkit/client/connhelper/ssh"

	"lamina.build/internal/failure"
)

func schemes() []string {
	return []string{
		"unix", "tcp", "docker-container", "podman-container", "nerdctl-container", "kube-pod", "ssh",
	}
}

func openGiven(ctx context.Context, o Options) (*Engine, error) {
	if err := CheckAddr(o.Addr); err != nil {
		return nil, err
	}
	e, r, err := connect(ctx, Given, o.Addr, o.Need)
	if err != nil {
		err = fmt.Errorf("using the engine at %q: %w", o.Addr, err)
		return nil, failure.WithHint(failure.New(failure.NoEngine, err),
			"leave --addr and BUILDKIT_HOST away and Lamina finds or starts an engine itself")
	}
	for _, remark := range r.remarks() {
		o.Progress(fmt.Sprintf("engine %s: %s", o.Addr, remark))
	}
	return e, nil
}

// CheckAddr finds what is wrong with the address of an engine; "" names none.
func CheckAddr(addr string) error {
	if addr == "" {
		return nil
	}
	u, err := url.Parse(addr)
	if err == nil && slices.Contains(schemes(), u.Scheme) && u.Host+u.Path != "" {
		return nil
	}
	return failure.WithHint(failure.New(failure.Usage, fmt.Errorf("%q is no address of an engine", addr)),
		"an address begins with "+strings.Join(schemes(), "://, ")+"://")
}

// connect dials an engine and puts it through the preflight.
func connect(ctx context.Context, kind Kind, addr string, need Need) (*Engine, report, error) {
	c, err := client.New(ctx, addr)
	if err != nil {
		return nil, report{}, fmt.Errorf("connecting: %w", err)
	}
	r, err := inspect(ctx, c)
	if err == nil {
		err = r.unfit(need)
	}
	if err != nil {
		// The connection is given up; why it could not be used says more.
		_ = c.Close()
		return nil, r, err
	}
	return &Engine{Kind: kind, Addr: addr, Version: r.version, Same: r.version == Version, client: c}, r, nil
}

// standardSockets are the places where a system's or a user's buildkitd listens.
func standardSockets(env func(string) string) []string {
	user := fmt.Sprintf("/run/user/%d", os.Geteuid())
	folders := []string{"/run", user}
	if dir, _, _ := strings.Cut(env("XDG_RUNTIME_DIR"), ":"); dir != "" && dir != user {
		folders = []string{"/run", dir, user}
	}
	sockets := make([]string, len(folders))
	for i, dir := range folders {
		sockets[i] = filepath.Join(dir, "buildkit", "buildkitd.sock")
	}
	return sockets
}

// findStandard returns the first standard engine that will do, nil where none
// does. One that is there and will not do is said, not failed on.
func findStandard(ctx context.Context, o Options) *Engine {
	for _, socket := range standardSockets(o.Env) {
		if _, err := os.Stat(socket); err != nil {
			continue
		}
		e, r, err := connect(ctx, Found, "unix://"+socket, o.Need)
		if err == nil && !e.Same {
			if _, known := parseVersion(r.version); !known {
				err = fmt.Errorf("it does not tell its version (%q)", r.version)
				_ = e.Close() // given up on, like any other that is passed over
			}
		}
		if err != nil {
			o.Progress(fmt.Sprintf("passing over the engine at %s: %s", socket, oneLine(err)))
			continue
		}
		o.Progress("using the engine at " + socket)
		for _, remark := range r.remarks() {
			o.Progress(fmt.Sprintf("engine %s: %s", socket, remark))
		}
		return e
	}
	return nil
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
