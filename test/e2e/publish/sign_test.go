package publish

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/sigstoretest"
	"lamina.build/internal/test/testworld"
)

// cosignKey writes a key in cosign's format, with a password, and returns its two files.
func cosignKey(t *testing.T, password string) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if der, err = encrypted.Encrypt(der, []byte(password)); err != nil {
		t.Fatal(err)
	}
	half, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private, public = filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub")
	e2etest.Write(t, private, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: der}))
	e2etest.Write(t, public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: half}))
	return private, public
}

// checkout commits a directory to a repository whose remote has a login.
func checkout(t *testing.T, dir string) (commit string) {
	t.Helper()
	var out []byte
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "."},
		{"-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-qm", "all"},
		{"remote", "add", "origin", "https://me:" + e2etest.Secret + "@git.example/acme/faceblend.git"},
		{"rev-parse", "HEAD"},
	} {
		var err error
		if out, err = exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return strings.TrimSpace(string(out))
}

// beforeAttaching calls f when the first document of an image arrives; if f returns
// false, it has answered the request.
func beforeAttaching(times int, f func(http.ResponseWriter, *http.Request) bool) testworld.Fault {
	return testworld.Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		data, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(data))
		if !bytes.Contains(data, []byte(`"subject"`)) || f(rw, r) {
			right.ServeHTTP(rw, r)
		}
	})
}

// An image is signed and has its provenance in registries with and without the referrers
// API, and in the layout, and keeps its digest. If that fails, no tag moves.
func TestRealSignatures(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	want := u.Digest(t)
	commit := checkout(t, dir)
	private, public := cosignKey(t, e2etest.Secret)
	_, other := cosignKey(t, "")
	u.Env = append(u.Env, "COSIGN_PASSWORD="+e2etest.Secret)
	registry := testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true})
	older := testworld.NewRegistry(t, testworld.RegistryOptions{})
	said := []e2etest.Result{}
	build := func(r *testworld.Registry, args ...string) e2etest.Result {
		said = append(said, u.Run(t, append([]string{dir, "-t", r.Host + "/acme/faceblend:1", "--insecure-registry"}, args...)...))
		return said[len(said)-1]
	}

	// A registry that accepts the image but not its referrers.
	registry.Fail("PUT /v2/**", beforeAttaching(-1, func(rw http.ResponseWriter, _ *http.Request) bool {
		http.Error(rw, "no", http.StatusForbidden)
		return false
	}))
	if r := build(registry, "--push", "--sign", private); r.Code == 0 || registry.Manifest("acme/faceblend", "1") != nil {
		t.Errorf("exit code %d, and the tag is there: %t\n%s", r.Code, registry.Manifest("acme/faceblend", "1") != nil, e2etest.Tail(r.Stderr))
	}
	registry.Heal()

	// A registry where somebody else moves the tag at the same time.
	registry.Fail("PUT /v2/**", beforeAttaching(1, func(http.ResponseWriter, *http.Request) bool {
		move(t, registry, "acme/faceblend", "1")
		return true
	}))
	for _, r := range []*testworld.Registry{registry, older} {
		if result := build(r, "-o", "type=oci", "-o", "type=image,push=true", "--attach", "lock,sbom,provenance", "--sign", private); result.Code != 0 {
			t.Fatalf("exit code %d\n%s", result.Code, e2etest.Tail(result.Stderr))
		}
		name := r.Host + "/acme/faceblend:1"
		if pushed, err := crane.Digest(name, crane.Insecure); err != nil || pushed != want.String() || u.Digest(t) != want {
			t.Errorf("the image has another digest: %s, want %s; %v", pushed, want, err)
		}
		for _, place := range []string{name, "dist/faceblend"} {
			shown := u.Run(t, "inspect", "--insecure-registry", "--key", public, place)
			if n := strings.Count(shown.Stdout, "  signed\n"); shown.Code != 0 || n != 5 {
				t.Errorf("%s: exit code %d, %d documents are signed\n%s%s", place, shown.Code, n, shown.Stdout, e2etest.Tail(shown.Stderr))
			}
			u.Fails(t, 3, []string{"no signature by the required signer"}, "inspect", "--insecure-registry", "--key", other, place)
			text := u.Build(t, "inspect", "--insecure-registry", "--document", "provenance", "--key", public, place).Stdout
			for _, part := range []string{`"gitCommit":"` + commit + `"`, `"git+https://git.example/acme/faceblend.git"`, `"https://slsa.dev/provenance/v1"`, "numpy", ".safetensors"} {
				if !strings.Contains(text, part) {
					t.Errorf("the provenance at %s has no %s:\n%.3000s", place, part, text)
				}
			}
			for _, none := range []string{u.Dir, dir} {
				if strings.Contains(text, none) {
					t.Errorf("the provenance at %s has the directory %s", place, none)
				}
			}
		}
	}

	// By an identity; its log is unavailable at first.
	s := sigstoretest.New(t, "ci@example.org", "token."+e2etest.Secret)
	u.Env = append(u.Env, "SIGSTORE_ID_TOKEN="+s.Token)
	trusted := filepath.Join(t.TempDir(), "trusted_root.json")
	e2etest.Write(t, trusted, s.TrustedRoot(false))
	s.Down.Store(true)
	fresh := testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true})
	keyless := []string{"--push", "--sign", "keyless", "--fulcio-url", s.URL, "--rekor-url", s.URL}
	if r := build(fresh, keyless...); r.Code != 1 || fresh.Manifest("acme/faceblend", "1") != nil {
		t.Errorf("without a log: exit code %d\n%s", r.Code, e2etest.Tail(r.Stderr))
	}
	s.Down.Store(false)
	if r := build(fresh, keyless...); r.Code != 0 || s.Logged.Load() != 2 {
		t.Errorf("exit code %d, %d are logged\n%s", r.Code, s.Logged.Load(), e2etest.Tail(r.Stderr))
	}
	inspect := []string{"inspect", "--insecure-registry", "--trusted-root", trusted, "--certificate-oidc-issuer", s.Issuer, fresh.Host + "/acme/faceblend:1", "--certificate-identity"}
	u.Build(t, append(inspect, s.Identity)...)
	u.Fails(t, 3, []string{"no signature by the required signer"}, append(inspect, "other@example.org")...)

	for _, r := range said {
		e2etest.NoSecret(t, "what is printed", r.Stdout+r.Stderr)
	}
	e2etest.NoSecrets(t, u.Dir)
}

// move puts a tag on an empty index.
func move(t *testing.T, r *testworld.Registry, repository, tag string) {
	t.Helper()
	put(t, r, repository, tag, []byte(`{"schemaVersion":2,"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[]}`))
}

// put puts a tag on an index.
func put(t *testing.T, r *testworld.Registry, repository, tag string, index []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.URL+"/v2/"+repository+"/manifests/"+tag, bytes.NewReader(index))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Content-Type", ocispec.MediaTypeImageIndex)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Errorf("moving the tag: %v", err)
		return
	}
	_ = resp.Body.Close()
}
