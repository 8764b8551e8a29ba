package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// Engines on separate machines authenticate clients by certificates. One loses power in the
// middle of a build, and another finishes it: the same image, without packing or locking
// again. A third one measures the cost.
func TestRealBuildGoesOnOnAnotherEngine(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "engines" {
		t.Skip("LAMINA_REAL=engines builds examples/faceblend on engines that have nothing")
	}
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	ca := testworld.NewAuthority(t)
	own, ownKey := ca.Certify(t, false)
	engines := make([]*enginetest.Remote, 3)
	for i := range engines {
		host, there, within := machine(t, i)
		cert, key := ca.Certify(t, false, there)
		engines[i] = enginetest.StartRemote(t, there+":1234", within, []string{"HTTP_PROXY=" + proxy(t, host), "HTTPS_PROXY=" + proxy(t, host)},
			"--tlscert", cert, "--tlskey", key, "--tlscacert", ca.File)
	}
	tls := []string{dir, "--tlscacert", ca.File, "--tlscert", own, "--tlskey", ownKey, "--smoke", "off", "--progress", "plain"}
	alone := *u
	alone.Addr = ""
	start := time.Now()
	alone.Build(t, append([]string{"--addr", engines[2].Addr}, tls...)...)
	undisturbed, want := time.Since(start), alone.Digest(t)
	engines[2].Kill()

	there := alone
	there.Dir = t.TempDir()
	args := append([]string{"--addr", engines[0].Addr, "--addr", engines[1].Addr}, tls...)
	start = time.Now()
	run := there.Start(t, args...)
	run.Until("runtime: install")
	killed := time.Since(start)
	engines[0].Kill()
	run.Until("continuing at ")
	noticed := time.Since(start)
	run.Ends(0)
	took := time.Since(start)
	t.Logf("undisturbed %.1f s; killed after %.1f s, noticed after %.1f s, done after %.1f s: %.2f times as long", undisturbed.Seconds(), killed.Seconds(), noticed.Seconds(), took.Seconds(), took.Seconds()/undisturbed.Seconds())
	if said := run.Said(); !strings.Contains(said, "continuing at "+engines[1].Addr) {
		t.Errorf("it does not print that another engine continues:\n%s", e2etest.Tail(said))
	}
	if got := there.Digest(t); got != want {
		t.Errorf("the image is %s, want that of an undisturbed build, %s", got, want)
	}
	nothingLeft(t, there.Dir)
	// With both gone none can continue, and that is a transient problem.
	engines[1].Kill()
	there.Fails(t, 4, []string{engines[0].Addr, engines[1].Addr}, args...)
}

// machine makes a network namespace with a link to this one, and returns the addresses of
// both ends, and the command that starts a program there.
func machine(t *testing.T, n int) (here, there string, within []string) {
	t.Helper()
	name := fmt.Sprintf("lamina%d-%d", os.Getpid(), n)
	wire := fmt.Sprintf("la%d-%d", os.Getpid()%100000, n)
	here, there = fmt.Sprintf("198.18.%d.1", n), fmt.Sprintf("198.18.%d.2", n)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() }) //nolint:noctx // it ends with its link
	for _, line := range []string{
		"netns add " + name,
		"link add " + wire + " type veth peer name eth0 netns " + name,
		"addr add " + here + "/24 dev " + wire,
		"link set " + wire + " up",
		"-n " + name + " addr add " + there + "/24 dev eth0",
		"-n " + name + " link set eth0 up",
		"-n " + name + " link set lo up",
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("this machine has no network namespaces: ip %s: %v: %s", line, err, out)
		}
	}
	return here, there, []string{"nsenter", "--net=/run/netns/" + name} // ip would mount /sys again, without cgroups
}

// proxy starts the only way out of such a machine.
func proxy(t *testing.T, host string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			forward.ServeHTTP(rw, r)
			return
		}
		far, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		client, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			_ = far.Close()
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, client); _ = far.Close() }()
		_, _ = io.Copy(client, far)
		_ = client.Close()
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}
