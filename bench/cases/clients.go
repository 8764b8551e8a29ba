package cases

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/test/testworld"
)

func clients() []aCase {
	return []aCase{
		{"clients/01-cache-twin-digest", "one digest in all four builds", (*call).cacheTwinDigest},
		{"clients/09-insecure-reach", "exit 0", (*call).insecureReach},
		{"clients/10-push-exit-codes", "", (*call).pushExitCodes},
		{"clients/11-local-caps", "ping has cap_net_raw", (*call).localCaps},
		{"clients/13-archive-bytes", "the same bytes each time", (*call).archiveBytes},
	}
}

func (c *call) cacheTwinDigest() []row {
	registry := testworld.NewRegistry(c, testworld.RegistryOptions{}).Host
	temp := c.TempDir()
	c.Cleanup(func() { // if the script didn't finish
		homes, _ := filepath.Glob(filepath.Join(temp, "*", "[ab]"))
		for _, home := range homes {
			cmd := exec.Command(c.program, "engine", "stop", "--force") //nolint:gosec,noctx // ours, even if we are interrupted
			cmd.Env = append(cmd.Environ(), "XDG_CACHE_HOME="+home)
			_ = cmd.Run()
		}
	})
	o := c.command(c.dir, []string{"TMPDIR=" + temp}, "bash", "run.sh", c.program, c.faceblend(), registry, c.options.CacheDir)
	digests := strings.Fields(o.stdout)
	different := len(slices.Compact(slices.Sorted(slices.Values(digests))))
	return []row{{seen: fmt.Sprintf("%d digests in %d builds; %s", different, len(digests), o), ok: o.code == 0 && len(digests) == 4 && different == 1}}
}

// insecureReach uses a registry with plain HTTP at an address that doesn't look like
// this machine's.
func (c *call) insecureReach() []row {
	address := c.ownAddress()
	if address == "" {
		c.Fatal("this machine has only loopback addresses")
	}
	host := c.forward(address, testworld.NewRegistry(c, testworld.RegistryOptions{}).Host)
	project := c.faceblend()
	image := func(tag string, more ...string) row {
		o := c.build(project, append([]string{"-t", host + "/app:" + tag, "--push", "--insecure-registry"}, more...)...)
		return row{seen: o.String(), ok: o.code == 0}
	}
	to := image("1", "--cache-to", host+"/cache")
	to.what = "--cache-to"
	from := image("2", "--cache-from", host+"/cache")
	from.what = "--cache-from"
	return append([]row{to, from}, c.insecureModel(host)...)
}

// insecureModel publishes a model there, and makes the engine read it.
func (c *call) insecureModel(host string) []row {
	c.hub()
	project, flag := c.TempDir(), "--insecure-registry"
	text := fmt.Sprintf(modelSpec, fmt.Sprintf("published = %q", host+"/weights"))
	if err := os.WriteFile(filepath.Join(project, "image.toml"), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
	c.lock(project)
	push := func(more ...string) outcome {
		return c.build(c.dir, append([]string{"model", "push", "--spec", project, host + "/weights:1"}, more...)...)
	}
	without, with := push(), push(flag)
	built := c.build(project, flag, "--progress", "plain")
	return []row{
		{what: "push without", right: "no exit 75, and a hint on " + flag, seen: without.String(), ok: without.code != 75 && strings.Contains(without.stderr, flag)},
		{what: "push with", seen: with.String(), ok: with.code == 0},
		{what: "model read", right: "exit 0, or a sentence on the engine's own reads", seen: built.String(), ok: built.code == 0 || strings.Contains(built.stderr, "buildkitd.toml")},
	}
}

// ownAddress returns an address of this machine that isn't a loopback address.
func (c *call) ownAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		c.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return ""
}

// forward forwards an address's connections to a server, and returns the address with its port.
func (c *call) forward(address, server string) string {
	l, err := new(net.ListenConfig).Listen(c.Context(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := new(net.Dialer).DialContext(c.Context(), "tcp", server)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
	return l.Addr().String()
}

// pushExitCodes pushes to registries that refuse it. No output may contain an upload's
// address.
func (c *call) pushExitCodes() (rows []row) {
	const uploads, blobs = "POST /v2/app/**", "PUT /v2/app/blobs/**"
	failing := func(pattern string, f testworld.Fault) string {
		r := testworld.NewRegistry(c, testworld.RegistryOptions{})
		r.Fail(pattern, f)
		return r.Host
	}
	unsigned, _ := testworld.ServeTLS(c, c.ownAddress()+":0", http.NotFoundHandler())
	project := c.faceblend()
	for _, r := range []struct {
		what, host string
		code       int
	}{
		{"401", testworld.NewRegistry(c, testworld.RegistryOptions{User: "me", Password: "x"}).Host, 2},
		{"403", failing(uploads, testworld.Status(http.StatusForbidden, testworld.Always)), 2},
		{"413", failing(blobs, testworld.LimitBody(http.StatusRequestEntityTooLarge, 1000, testworld.Always)), 1},
		{"x509", strings.TrimPrefix(unsigned, "https://"), 2},
		{"refused", "127.0.0.1:" + c.freePort(), 75},
		{"DNS", "registry.invalid", 75},
		{"503", failing(blobs, testworld.Status(http.StatusServiceUnavailable, testworld.Always)), 75},
		{"cut", failing(blobs, testworld.CutUpload(1000, false, testworld.Always)), 75},
		{"cut once", failing(blobs, testworld.CutUpload(1000, false, 1)), 0},
	} {
		args := []string{"-t", r.host + "/app:1", "--push", "--smoke", "off"}
		if r.what != "x509" {
			args = append(args, "--insecure-registry")
		}
		o := c.build(project, args...)
		hint, told := strings.Contains(o.stderr, "hint: "), strings.Contains(o.stderr, "_state=")
		right := row{what: r.what, right: fmt.Sprintf("exit %d, a hint, no upload's address", r.code), seen: fmt.Sprintf("exit %d, hint: %t, address: %t", o.code, hint, told)}
		if r.code == 0 {
			right.right, hint = "exit 0", true
		}
		right.ok = o.code == r.code && hint && !told
		rows = append(rows, right)
	}
	return rows
}

func (c *call) localCaps() []row {
	out := filepath.Join(c.TempDir(), "out")
	c.mustBuild(c.dir, "-o", "type=local,dest="+out)
	value := make([]byte, 64)
	n, err := unix.Getxattr(filepath.Join(out, "usr/bin/ping"), "security.capability", value)
	if err != nil {
		return []row{{seen: "none: " + err.Error()}}
	}
	// Version 2 of the format: a magic number, then the permitted capabilities of 0 to 31.
	const netRaw = 1 << 5 // of the second byte: CAP_NET_RAW is 13
	return []row{{seen: fmt.Sprintf("%x", value[:n]), ok: n >= 8 && value[5] == netRaw}}
}

func (c *call) archiveBytes() (rows []row) {
	project := c.faceblend()
	for _, kind := range []string{"oci", "docker"} {
		var sums [2]string
		for i := range sums {
			name := filepath.Join(c.TempDir(), "a.tar")
			c.mustBuild(project, "-o", "type="+kind+",dest="+name)
			sums[i] = c.sum(name)
			time.Sleep(2 * time.Second) // archives must not contain the time
		}
		rows = append(rows, row{what: kind, seen: strings.Join(sums[:], " "), ok: sums[0] == sums[1]})
	}
	return rows
}

// sum returns the beginning of a file's SHA-256.
func (c *call) sum(name string) string {
	f, err := os.Open(name) //nolint:gosec // made above
	if err != nil {
		c.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		c.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:16]
}
