package engine_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// An engine with TLS is reached by clients with the right certificates, and all others are
// told in a sentence what is missing.
func TestRealEngineBehindTLS(t *testing.T) {
	ca, other := testworld.NewAuthority(t), testworld.NewAuthority(t)
	cert, key := ca.Certify(t, false, "127.0.0.1", "builder.example")
	oldCert, oldKey := ca.Certify(t, true, "127.0.0.1")
	elseCert, elseKey := ca.Certify(t, false, "builder.example")
	own, ownKey := ca.Certify(t, false)
	ownOld, ownOldKey := ca.Certify(t, true)
	strange, strangeKey := other.Certify(t, false)
	start := func(args ...string) string {
		return enginetest.StartRemote(t, enginetest.FreePort(t, "127.0.0.1"), nil, nil, args...).Addr
	}
	mutual := start("--tlscert", cert, "--tlskey", key, "--tlscacert", ca.File)
	for _, tt := range []struct {
		name, addr string
		tls        engine.TLS
		code       failure.Kind // 0 if it opens
		says, hint string
	}{
		{"each trusts the other", mutual, engine.TLS{CACert: ca.File, Cert: own, Key: ownKey}, 0, "", ""},
		{"under another name", mutual, engine.TLS{CACert: ca.File, Cert: own, Key: ownKey, ServerName: "builder.example"}, 0, "", ""},
		{"no TLS", mutual, engine.TLS{}, failure.Usage, "it requires TLS", "--tlscacert"},
		{"no client certificate", mutual, engine.TLS{CACert: ca.File}, failure.Usage, "requires a client certificate", "--tlscert"},
		{"an untrusted client certificate", mutual, engine.TLS{CACert: ca.File, Cert: strange, Key: strangeKey}, failure.Usage, "does not accept the certificate", "authority"},
		{"an expired client certificate", mutual, engine.TLS{CACert: ca.File, Cert: ownOld, Key: ownOldKey}, failure.Usage, "is valid from", "--tlscert"},
		{"a certificate without a key", mutual, engine.TLS{CACert: ca.File, Cert: own}, failure.Usage, "--tlskey is missing", "PEM"},
		{"missing files", mutual, engine.TLS{CACert: "nowhere.pem", Key: "k"}, failure.Usage, "nowhere.pem", "PEM"},
		{"another authority", mutual, engine.TLS{CACert: other.File, Cert: own, Key: ownKey}, failure.Usage, "not trusted here", "--tlscacert"},
		{"the authorities of the machine", mutual, engine.TLS{Cert: own, Key: ownKey}, failure.Usage, "not trusted here", "--tlscacert"},
		{"an expired server certificate", start("--tlscert", oldCert, "--tlskey", oldKey), engine.TLS{CACert: ca.File}, failure.Usage, "its certificate is valid from", "clock"},
		{"a server certificate for another host", start("--tlscert", elseCert, "--tlskey", elseKey), engine.TLS{CACert: ca.File}, failure.Usage, "is for builder.example, not for 127.0.0.1", "--tlsservername"},
		{"an engine without TLS", start(), engine.TLS{CACert: ca.File}, failure.Usage, "does not use TLS", "--tls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := engine.Open(t.Context(), engine.Options{Where: engine.Where{Addrs: []string{tt.addr}, TLS: tt.tls}})
			if err == nil {
				defer closeEngine(t, e)
			}
			if (err == nil) != (tt.code == 0) || err != nil && failure.KindOf(err) != tt.code {
				t.Fatalf("got %v of kind %d, want %d", err, failure.KindOf(err), tt.code)
			}
			if err == nil {
				return
			}
			if hints := strings.Join(failure.Hints(err), "\n"); !strings.Contains(err.Error(), tt.says) || !strings.Contains(hints, tt.hint) {
				t.Errorf("got %q and hints %q", err, hints)
			}
			if strings.Count(err.Error(), "\n") > 1 || strings.Contains(err.Error(), "rpc error") {
				t.Errorf("that is more than a sentence: %q", err)
			}
		})
	}
	// The variables that stand for the flags.
	dir := filepath.Dir(own)
	if err := os.Link(ca.File, filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	for name, vars := range map[string]map[string]string{
		"each":        {"BUILDKIT_TLS_CACERT": ca.File, "BUILDKIT_TLS_CERT": own, "BUILDKIT_TLS_KEY": ownKey},
		"a name":      {"BUILDKIT_TLS_CACERT": ca.File, "BUILDKIT_TLS_CERT": own, "BUILDKIT_TLS_KEY": ownKey, "BUILDKIT_TLS_SERVERNAME": "builder.example"},
		"a directory": {"BUILDKIT_TLS_DIR": dir},
	} {
		t.Run("variables: "+name, func(t *testing.T) {
			vars["BUILDKIT_HOST"] = mutual
			closeEngine(t, open(t, engine.Options{Env: lookup(vars)}))
		})
	}
}

// The first usable engine is used, and the problems of those before it are reported.
func TestEnginesAreTriedInTheirOrder(t *testing.T) {
	_, old := serve(t, fakeEngine{version: "v0.31.1", snapshotter: "overlayfs"})
	_, good := serve(t, fakeEngine{version: engine.Version, snapshotter: "overlayfs"})
	var said []string
	o := engine.Options{Progress: func(line string) { said = append(said, line) }}
	o.Where.Addrs = []string{"tcp://127.0.0.1:1", old, good}
	e := open(t, o)
	if closeEngine(t, e); e.Addr != good || len(said) != 2 || !strings.Contains(said[0], "refused") || !strings.Contains(said[1], "its version is v0.31.1; Lamina needs v0.31.2") {
		t.Errorf("got the engine at %s, and %q said", e.Addr, said)
	}
	o.Lost = []string{good}
	if _, err := engine.Open(t.Context(), o); err == nil || failure.KindOf(err) != failure.NoEngine || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "v0.31.1") {
		t.Errorf("got error %v, want the problems of both", err)
	}
	o.Where.Addrs = []string{good}
	if _, err := engine.Open(t.Context(), o); err == nil || failure.KindOf(err) != failure.NoEngine {
		t.Errorf("got error %v for a lost engine", err)
	}
}

// A dockerd has a built-in builder, which we can't use.
func TestDockerdIsRecognised(t *testing.T) {
	dockerd := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Api-Version", "1.50")
		_, _ = io.WriteString(rw, "OK")
	}))
	defer dockerd.Close()
	addr := strings.Replace(dockerd.URL, "http://", "tcp://", 1)
	_, err := engine.Open(t.Context(), engine.Options{Where: engine.Where{Addrs: []string{addr}}})
	if err == nil || failure.KindOf(err) != failure.NoEngine || !strings.Contains(err.Error(), "like dockerd") || strings.Contains(err.Error(), "frame") ||
		!strings.Contains(strings.Join(failure.Hints(err), "\n"), "docker buildx create") {
		t.Errorf("got error %v", err)
	}
}

// Plain TCP to an engine causes a warning, except on the loopback.
func TestPlainTCPIsWarnedOf(t *testing.T) {
	addr := enginetest.FreePort(t, testworld.Away(t))
	enginetest.StartRemote(t, addr, nil, nil)
	var said []string
	o := engine.Options{Progress: func(line string) { said = append(said, line) }}
	o.Where.Addrs = []string{"tcp://" + addr}
	closeEngine(t, open(t, o))
	if len(said) != 1 || !strings.Contains(said[0], "plain TCP") {
		t.Errorf("got %q said", said)
	}
	o.Where.Addrs = []string{enginetest.StartRemote(t, enginetest.FreePort(t, "127.0.0.1"), nil, nil).Addr}
	said = nil
	if closeEngine(t, open(t, o)); len(said) != 0 {
		t.Errorf("got %q said of a loopback", said)
	}
}
