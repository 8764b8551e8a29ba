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

// Engines on separate machines authenticate clients by certificates. One is lost in the
// middle of a build, and another finishes it: the same image, without packing or locking
// again. The log has the costs.
func TestRealBuildGoesOnOnAnotherEngine(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "engines" {
		t.Skip("LAMINA_REAL=engines builds examples/faceblend on engines that have nothing")
	}
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	ca := testworld.NewAuthority(t)
	own, ownKey := ca.Certify(t, false)
	tls := []string{dir, "--tlscacert", ca.File, "--tlscert", own, "--tlskey", ownKey, "--smoke", "off", "--progress", "plain"}
	n := 0
	start := func(t *testing.T) (e *enginetest.Remote, link string) {
		t.Helper()
		host, there, link, within := machine(t, n)
		n++
		cert, key := ca.Certify(t, false, there)
		return enginetest.StartRemote(t, there+":1234", within, []string{"HTTP_PROXY=" + proxy(t, host), "HTTPS_PROXY=" + proxy(t, host)},
			"--tlscert", cert, "--tlskey", key, "--tlscacert", ca.File), link
	}
	alone := *u
	alone.Addr = ""
	var undisturbed time.Duration
	for range 2 { // the first one warms up
		third, _ := start(t)
		began := time.Now()
		alone.Build(t, append([]string{"--addr", third.Addr}, tls...)...)
		undisturbed = time.Since(began)
		third.Kill()
	}
	want := alone.Digest(t)

	unplug := func(t *testing.T, link string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", link, "down").CombinedOutput(); err != nil {
			t.Fatalf("unplugging a machine: %v: %s", err, out)
		}
	}
	for _, tt := range []struct {
		name string
		when float64 // of the time of an undisturbed build
		gone bool    // without a word, as a machine without power
	}{{"killed after 10 %", 0.1, false}, {"killed after 30 %", 0.3, false}, {"killed after 50 %", 0.5, false}, {"without power after 10 %", 0.1, true}} {
		t.Run(tt.name, func(t *testing.T) {
			first, link := start(t)
			second, _ := start(t)
			there := alone
			there.Dir = t.TempDir()
			args := append([]string{"--addr", first.Addr, "--addr", second.Addr}, tls...)
			began := time.Now()
			run := there.Start(t, args...)
			time.Sleep(time.Duration(tt.when * float64(undisturbed)))
			lost := time.Since(began)
			if tt.gone {
				unplug(t, link)
			} else {
				first.Kill()
			}
			run.Until("continuing at ")
			noticed := time.Since(began)
			run.Ends(0)
			took := time.Since(began)
			t.Logf("undisturbed %.1f s; lost after %.1f s, noticed after %.1f s, done after %.1f s: %.2f times as long", undisturbed.Seconds(), lost.Seconds(), noticed.Seconds(), took.Seconds(), took.Seconds()/undisturbed.Seconds())
			if said := run.Said(); !strings.Contains(said, "continuing at "+second.Addr) {
				t.Errorf("it does not print that another engine continues:\n%s", e2etest.Tail(said))
			}
			if got := there.Digest(t); got != want {
				t.Errorf("the image is %s, want that of an undisturbed build, %s", got, want)
			}
			nothingLeft(t, there.Dir)
			// With both gone none can continue.
			first.Kill()
			second.Kill()
			there.Fails(t, 4, []string{first.Addr, second.Addr}, args...)
		})
	}
}

// machine makes a network namespace with a link to this one, and returns the addresses of
// both ends, the link's name here, and the command that starts a program there.
func machine(t *testing.T, n int) (here, there, wire string, within []string) {
	t.Helper()
	name := fmt.Sprintf("lamina%d-%d", os.Getpid(), n)
	wire = fmt.Sprintf("la%d-%d", os.Getpid()%100000, n)
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
	return here, there, wire, []string{"nsenter", "--net=/run/netns/" + name} // ip would mount /sys again, without cgroups
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
