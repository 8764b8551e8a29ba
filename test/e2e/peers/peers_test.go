// Package peers has the programs of others read what a build publishes.
package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/sigstoretest"
	"lamina.build/internal/test/testworld"
)

// cosign is that of bench/peers.
type cosign struct {
	dir     string // where it runs, with a HOME of its own
	program string
}

func newCosign(t *testing.T) cosign {
	t.Helper()
	c := cosign{t.TempDir(), filepath.Join(t.TempDir(), "cosign")}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", c.program, "github.com/sigstore/cosign/v3/cmd/cosign")
	build.Dir = filepath.Join(e2etest.Root(t), "bench", "peers")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building cosign: %v\n%s", err, out)
	}
	return c
}

func (c cosign) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "HOME="+c.dir, "COSIGN_PASSWORD="+e2etest.Secret)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// cosign verifies what Lamina has signed, with a key that cosign has made and for an identity,
// in a registry that has the API for referrers and in one that has none.
func TestRealCosign(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "peers" {
		t.Skip("LAMINA_REAL=peers builds cosign")
	}
	c := newCosign(t)
	if out, err := c.run(t, "generate-key-pair"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := c.run(t, "generate-key-pair", "--output-key-prefix", "other"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	s := sigstoretest.New(t, "ci@example.org", "token."+e2etest.Secret)
	u.Env = append(u.Env, "COSIGN_PASSWORD="+e2etest.Secret, "SIGSTORE_ID_TOKEN="+s.Token)
	e2etest.Write(t, filepath.Join(c.dir, "trusted_root.json"), s.TrustedRoot(false))
	for what, o := range map[string]testworld.RegistryOptions{"API": {Referrers: true}, "tags": {}} {
		t.Run(what, func(t *testing.T) {
			r := testworld.NewRegistry(t, o)
			keyed, keyless := r.Host+"/acme/keyed:1", r.Host+"/acme/keyless:1"
			u.Build(t, dir, "-t", keyed, "--push", "--insecure-registry", "--attach", "lock,sbom", "--sign", filepath.Join(c.dir, "cosign.key"))
			u.Build(t, dir, "-t", keyless, "--push", "--insecure-registry", "--sign", "keyless", "--fulcio-url", s.URL, "--rekor-url", s.URL)
			byKey := []string{"--insecure-ignore-tlog", "--allow-http-registry", "--key"}
			byIdentity := []string{"--insecure-ignore-sct", "--allow-http-registry", "--trusted-root", "trusted_root.json", "--certificate-oidc-issuer", s.Issuer, "--certificate-identity"}
			provenance := []string{"verify-attestation", "--type", "slsaprovenance1"}
			for _, tt := range []struct {
				command, how []string
				who, image   string
				ok           bool
			}{
				{[]string{"verify"}, byKey, "cosign.pub", keyed, true},
				{[]string{"verify"}, byKey, "other.pub", keyed, false},
				{provenance, byKey, "cosign.pub", keyed, true},
				{provenance, byKey, "other.pub", keyed, false},
				{[]string{"verify"}, byIdentity, s.Identity, keyless, true},
				{[]string{"verify"}, byIdentity, "other@example.org", keyless, false},
				{provenance, byIdentity, s.Identity, keyless, true},
			} {
				args := append(append(append(append([]string{}, tt.command...), tt.how...), tt.who), tt.image)
				out, err := c.run(t, args...)
				if (err == nil) != tt.ok || strings.Contains(out, "panic") {
					t.Errorf("cosign %s: %v\n%s", strings.Join(args, " "), err, e2etest.Tail(out))
				}
			}
			out, err := c.run(t, "download", "attestation", "--allow-http-registry", keyed)
			if err != nil || !strings.Contains(out, "dsse") {
				t.Errorf("it downloads %v\n%.500s", err, out)
			}
		})
	}
}
