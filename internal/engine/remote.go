package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"

	// Each helper registers the address scheme of its name.
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer"
	_ "github.com/moby/buildkit/client/connhelper/kubepod"
	_ "github.com/moby/buildkit/client/connhelper/nerdctlcontainer"
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer"
	_ "github.com/moby/buildkit/client/connhelper/ssh"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"lamina.build/internal/failure"
)

func schemes() []string {
	return []string{
		"unix", "tcp", "docker-container", "podman-container", "nerdctl-container", "kube-pod", "ssh",
	}
}

// Where says which engines may be used.
type Where struct {
	// Addrs are addresses of engines: unix://, tcp://, docker-container://,
	// podman-container://, nerdctl-container://, kube-pod:// or ssh://. The first usable
	// one is used, and the next one if it is lost. An address with a platform and "=" in
	// front, "linux/arm64=tcp://…", is for that platform only, which then uses no other.
	Addrs []string
	// Builder is the name of a docker buildx builder, whose nodes are used in place of Addrs.
	Builder string
	// TLS is for addresses that begin with tcp://. If it is empty, Env's
	// BUILDKIT_TLS_CACERT, …_CERT, …_KEY and …_SERVERNAME apply, or …_DIR.
	TLS TLS
}

// address is one engine that may be used.
type address struct {
	url string
	tls TLS
}

// addresses returns the addresses that w names for a platform ("" means any), each with its
// TLS; none if all are for other platforms.
func (w Where) addresses(env func(string) string, platform string) ([]address, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	if w.Builder != "" {
		return findBuilder(w.Builder, env)
	}
	var own, others []address
	for _, addr := range w.Addrs {
		of, url := bound(addr)
		a := address{url: url}
		if isTCP(addr) {
			a.tls = w.TLS
		}
		switch {
		case platform == "" || of == "":
			others = append(others, a)
		case samePlatform(of, platform):
			own = append(own, a)
		}
	}
	if len(own) > 0 {
		return own, nil
	}
	return others, nil
}

// names reports whether w names an engine for a platform, or is invalid and has to be reported.
func (w Where) names(platform string) bool {
	none := func(string) string { return "" }
	list, err := w.addresses(none, platform)
	return w.Builder != "" || len(list) > 0 || err != nil && len(w.Addrs) > 0
}

func isTCP(addr string) bool {
	_, url := bound(addr)
	return strings.HasPrefix(url, "tcp://")
}

// bound splits an address into its platform, "" for any, and its URL.
func bound(addr string) (platform, url string) {
	if platform, url, ok := strings.Cut(addr, "="); ok && strings.Contains(url, "://") && !strings.Contains(platform, ":") {
		return platform, url
	}
	return "", addr
}

func samePlatform(a, b string) bool {
	one, err := platforms.Parse(a)
	other, otherErr := platforms.Parse(b)
	return err == nil && otherErr == nil && platforms.OnlyStrict(one).Match(other)
}

// Check reports everything that is wrong with w itself.
func (w Where) Check() error {
	var problems []error
	if len(w.Addrs) > 0 && w.Builder != "" {
		problems = append(problems, failure.New(failure.Usage, fmt.Errorf("builder %q and address %q name two engines; give only one", w.Builder, w.Addrs[0])))
	}
	for _, addr := range w.Addrs {
		problems = append(problems, checkAddr(addr))
	}
	if len(w.Addrs) == 0 || slices.ContainsFunc(w.Addrs, isTCP) { // other schemes have no TLS
		problems = append(problems, w.TLS.Check())
	}
	return errors.Join(problems...)
}

// checkAddr reports what is wrong with the address of an engine.
func checkAddr(addr string) error {
	platform, rest := bound(addr)
	if rest != addr {
		if _, err := platforms.Parse(platform); err != nil || !strings.Contains(platform, "/") {
			err = failure.New(failure.Usage, fmt.Errorf("%q binds an engine to %q, which is not a platform", addr, platform))
			return failure.WithHint(err, "write the platform as in linux/arm64="+rest)
		}
	}
	u, err := url.Parse(rest)
	if err == nil && u.Scheme == "tcp" && u.Host != "" && u.Port() == "" {
		return failure.WithHint(failure.New(failure.Usage, fmt.Errorf("%q has no port", addr)), "write the port that the engine listens on: "+rest+":1234")
	}
	if err == nil && slices.Contains(schemes(), u.Scheme) && u.Host+u.Path != "" {
		return nil
	}
	return failure.WithHint(failure.New(failure.Usage, fmt.Errorf("%q is not the address of an engine", addr)),
		"an address begins with "+strings.Join(schemes(), "://, ")+"://")
}

// openGiven opens the first usable engine of the list.
func openGiven(ctx context.Context, o Options, list []address) (*Engine, error) {
	var problems []error
	for _, a := range without(list, o.Lost) {
		e, r, err := connect(ctx, Given, a, o.Need)
		if err != nil {
			problems = append(problems, fmt.Errorf("using the engine at %q: %w", a.url, err))
			continue
		}
		for _, problem := range problems {
			o.Progress("skipping an engine: " + oneLine(problem))
		}
		for _, remark := range append(r.remarks(), a.remarks()...) {
			o.Progress(fmt.Sprintf("engine %s: %s", a.url, remark))
		}
		return e, nil
	}
	err := errors.Join(problems...)
	if len(problems) == 0 {
		err = errors.New("all of the engines were lost")
	}
	if len(problems) > 0 && !slices.ContainsFunc(problems, func(problem error) bool { return failure.KindOf(problem) != failure.Usage }) {
		return nil, err // the input is wrong
	}
	return nil, failure.WithHint(failure.New(failure.NoEngine, err),
		"omit --addr, --builder, BUILDKIT_HOST and BUILDX_BUILDER, and Lamina finds or starts an engine itself")
}

// remarks returns notes on how an engine is reached.
func (a address) remarks() []string {
	u, err := url.Parse(a.url)
	if err != nil || u.Scheme != "tcp" || a.tls != (TLS{}) || u.Hostname() == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
		return nil
	}
	return []string{"it is reached over plain TCP: anybody on the network path can read and change what is built, and anybody can be its client; " +
		"use --tlscacert, --tlscert and --tlskey with an engine that has TLS"}
}

// keptAlive detects that an engine is gone, even where the kernel doesn't, as behind a proxy.
// buildkitd allows one ping every five minutes.
func keptAlive() keepalive.ClientParameters {
	return keepalive.ClientParameters{Time: 5*time.Minute + 10*time.Second, Timeout: 20 * time.Second}
}

// connect dials an engine and runs the preflight.
func connect(ctx context.Context, kind Kind, a address, need Need) (*Engine, report, error) {
	u, err := url.Parse(a.url)
	if err == nil {
		err = a.tls.Check()
	}
	if err != nil {
		return nil, report{}, err
	}
	c, err := client.New(ctx, a.url, append(a.tls.options(u.Hostname()), client.WithGRPCDialOption(grpc.WithKeepaliveParams(keptAlive())))...)
	if err != nil {
		return nil, report{}, fmt.Errorf("connecting: %w", err)
	}
	r, err := inspect(ctx, c)
	if err != nil {
		err = cmp.Or(a.diagnose(ctx), a.unusable(err))
	} else {
		err = r.unfit(need)
	}
	if err != nil {
		_ = c.Close() // err says more
		return nil, r, err
	}
	e := &Engine{Kind: kind, Addr: a.url, Version: r.version, Snapshotter: r.worker.Labels[snapshotterLabel], Same: r.version == Version, client: c, stop: func() {}}
	if u.Scheme == "tcp" {
		ctx, e.stop = context.WithCancel(ctx)
		go e.beat(ctx)
	}
	return e, r, nil
}

// beatEvery is how often something is sent to the machine of an engine.
const beatEvery = 10 * time.Second

// beat sends something now and then, since a client that only listens to a build doesn't
// notice for minutes that the machine has lost its power. The kernel ends a connection if
// nothing is acknowledged for the timeout of keptAlive.
func (e *Engine) beat(ctx context.Context) {
	for failure.Pause(ctx, beatEvery) == nil {
		_, _ = e.client.Info(ctx) // whoever is building gets the error
	}
}

// unusable explains why an engine did not answer, where more is known than gRPC reports.
func (a address) unusable(err error) error {
	socket, isSocket := strings.CutPrefix(a.url, "unix://")
	switch text := err.Error(); {
	case strings.Contains(text, "HTTP/1.1 header"):
		return failure.WithHint(errors.New("it speaks HTTP/1.1 like dockerd, whose built-in builder merges no layers and stores none of our images"), createBuilder)
	case isSocket && strings.Contains(text, "permission denied"):
		return failure.WithHint(fmt.Errorf("it is another user's: %w", errNotOurs(socket)), "run as that user or with sudo, or give your group access with buildkitd's --group")
	case a.isBuildx():
		return failure.WithHint(fmt.Errorf("the builder's container does not answer: %w", err), "`docker buildx inspect --bootstrap NAME` starts it; docker reports why it does not run")
	}
	return err
}

// errNotOurs reports the owner of a socket that we may not open.
func errNotOurs(socket string) error {
	info, err := os.Stat(socket)
	if err != nil { // we may not enter its directory
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%q may not be opened", socket)
	}
	return fmt.Errorf("%q belongs to user %d and group %d, with the mode %s", socket, owner.Uid, owner.Gid, info.Mode())
}

// standardSockets returns where a system's or a user's buildkitd listens.
func standardSockets(env func(string) string) []string {
	user := fmt.Sprintf("/run/user/%d", os.Geteuid())
	directories := []string{"/run", user}
	if dir, _, _ := strings.Cut(env("XDG_RUNTIME_DIR"), ":"); filepath.IsAbs(dir) && dir != user {
		directories = []string{"/run", dir, user}
	}
	sockets := make([]string, len(directories))
	for i, dir := range directories {
		sockets[i] = filepath.Join(dir, "buildkit", "buildkitd.sock")
	}
	return sockets
}

// findStandard returns the first usable standard engine, nil if there is none. An
// unusable one is reported and is no error.
func findStandard(ctx context.Context, o Options) *Engine {
	for _, socket := range standardSockets(o.Env) {
		if _, err := os.Stat(socket); err != nil {
			continue
		}
		e, r, err := connect(ctx, Found, address{url: "unix://" + socket}, o.Need)
		if err == nil && !e.Same {
			if _, known := parseVersion(r.version); !known {
				err = fmt.Errorf("it does not report its version (%q)", r.version)
				_ = e.Close() // the error is reported below
			}
		}
		if err != nil {
			o.Progress(fmt.Sprintf("skipping the engine at %s: %s", socket, oneLine(err)))
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
