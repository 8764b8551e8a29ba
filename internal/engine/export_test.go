package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client"
)

// Internals for the tests of package engine_test.
var (
	ParseVersion = parseVersion
	CountLocks   = countLocks
)

// HostUnfit checks an imagined machine.
func HostUnfit(system string, euid int, mounts string) error {
	return host{system: system, euid: euid, mounts: mounts}.unfit()
}

// Unfit checks an imagined engine.
func Unfit(version string, worker *client.WorkerInfo, free int64, need Need) error {
	return report{version: version, worker: worker, free: free}.unfit(need)
}

// Socket returns where the engine of a state directory listens.
func Socket(stateDir string) string { return state{dir: stateDir}.socket() }

// ConnectOrStart returns the engine of a state directory, where no program can start one.
func ConnectOrStart(ctx context.Context, o Options) (*Engine, error) {
	o = o.withDefaults()
	return state{dir: o.StateDir}.connectOrStart(ctx, o, binaries{})
}

// Tail returns the last n lines.
func Tail(text string, n int) string { return string(tail([]byte(text), n)) }

// FindBuilder returns the addresses of a builder's nodes, with the files of their TLS.
func FindBuilder(name string, env func(string) string) (string, error) {
	list, err := findBuilder(name, env)
	text := make([]string, len(list))
	for i, a := range list {
		text[i] = fmt.Sprintf("%s %v", a.url, a.tls)
	}
	return strings.Join(text, ", "), err
}

// FindRuntime returns the program that starts containers.
func FindRuntime(ctx context.Context, o Options) (string, error) {
	return findRuntime(ctx, o.withDefaults())
}

// OpenCurrent opens the current builder if there is one.
func OpenCurrent(ctx context.Context, o Options, unfit error) (*Engine, error) {
	return openCurrent(ctx, o.withDefaults(), unfit)
}

// Unusable explains why an engine did not answer.
func Unusable(addr string, err error) error { return address{url: addr}.unusable(err) }

// VerifyRelease compares the programs in a directory with what a command was linked with.
func VerifyRelease(dir, sums string) error { return releaseIn(dir, sums).verify() }

// UserUnfit checks an imagined machine and account; missing means that it has no newuidmap.
func UserUnfit(subuid, subgid string, missing bool, kernel map[string]string) (flags string, err error) {
	a := account{name: "ordinary", uid: 1000, gid: 100, subuid: subuid, subgid: subgid, kernel: kernel, newuidmap: "/usr/bin/newuidmap", newgidmap: "/usr/bin/newgidmap"}
	if missing {
		a.newuidmap = ""
	}
	return strings.Join(a.flags(), " "), host{system: "linux", euid: 1000, user: a}.unfit()
}

// UserRefused adds hints to an error of the kernel for an imagined account.
func UserRefused(err error, kernel map[string]string) error {
	return account{kernel: kernel}.refused(err)
}

// Addresses returns the addresses of the engines for a platform.
func Addresses(w Where, platform string) (urls []string, err error) {
	list, err := w.addresses(func(string) string { return "" }, platform)
	for _, a := range list {
		urls = append(urls, a.url)
	}
	return urls, err
}
