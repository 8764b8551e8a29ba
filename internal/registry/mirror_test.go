package registry_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// Reads go to the mirrors of certs.d, as engines do, and to the registry itself for what none
// of them has.
func TestMirrors(t *testing.T) {
	t.Parallel()
	blob := []byte("weights")
	sum := digest.FromBytes(blob)
	manifest := []byte(`{"schemaVersion": 2, "config": {"digest": "` + sum.String() + `", "size": 7}, "layers": []}`)
	stored := func(t *testing.T, repository string) *testworld.Registry {
		t.Helper()
		r := testworld.NewRegistry(t, testworld.RegistryOptions{})
		repo, err := registry.Open(t.Context(), r.Host+repository, hasty())
		if err == nil {
			_, err = repo.PutBlob(t.Context(), blob)
		}
		if err == nil {
			err = repo.PutManifest(t.Context(), "1", ocispec.MediaTypeImageManifest, manifest)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Forget()
		return r
	}
	lie := testworld.Around(-1, func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = io.WriteString(rw, "others") })
	for name, tt := range map[string]struct {
		corrupt    func(mirror *testworld.Registry)
		repository string // of the mirror
		says       string // hosts.toml, of the mirror
		home       bool   // the registry itself is asked
	}{
		"by the mirror":                  {repository: "/proxy/acme/model"},
		"not by one that can't name":     {repository: "/proxy/acme/model", says: "capabilities = ['pull']", home: true},
		"by one without the repository":  {repository: "/other/model", home: true},
		"by one that isn't there":        {repository: "/proxy/acme/model", corrupt: func(m *testworld.Registry) { m.Fail("/v2/**", testworld.Later(http.StatusBadGateway, "", -1)) }, home: true},
		"by one with other bytes":        {repository: "/proxy/acme/model", corrupt: func(m *testworld.Registry) { m.Fail("/v2/**", lie) }, home: true},
		"by one that wants to be logged": {repository: "/proxy/acme/model", corrupt: func(m *testworld.Registry) { m.Fail("/v2/**", testworld.Later(http.StatusUnauthorized, "", -1)) }, home: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mirror, home := stored(t, tt.repository), stored(t, "/acme/model")
			if tt.corrupt != nil {
				tt.corrupt(mirror)
			}
			directory := t.TempDir()
			put(t, directory+"/"+home.Host+"/hosts.toml", "[host.'"+mirror.URL+"/v2/proxy']\noverride_path = true\n"+tt.says)
			opts := hasty()
			opts.Hosts, opts.ReadOnly = registry.Hosts{directory}, true
			repo, err := registry.Open(t.Context(), home.Host+"/acme/model", opts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := repo.ReadBlob(t.Context(), sum)
			if err != nil || !bytes.Equal(got, blob) {
				t.Errorf("ReadBlob: %q, %v", got, err)
			}
			if _, got, err = repo.Manifest(t.Context(), digest.FromBytes(manifest).String()); err != nil || !bytes.Equal(got, manifest) {
				t.Errorf("Manifest: %q, %v", got, err)
			}
			if name != "by one with other bytes" { // undetectable in a stream
				streams(t, repo, sum, blob)
			}
			if asked := home.Calls("GET /v2/**") > 0; asked != tt.home {
				t.Errorf("the registry itself was used: %v", asked)
			}
			if name == "by the mirror" && mirror.Calls("GET /v2/**") < 4 {
				t.Errorf("the mirror got %d calls", mirror.Calls("GET /v2/**"))
			}
			has, err := repo.Has(t.Context(), digest.FromString("none"))
			if err != nil || has {
				t.Errorf("Has: %v, %v", has, err)
			}
			// Nothing is written to a mirror.
			opts.ReadOnly = false
			if repo, err = registry.Open(t.Context(), home.Host+"/acme/model", opts); err != nil {
				t.Fatal(err)
			}
			more := []byte("more")
			if d, err := repo.PutBlob(t.Context(), more); err != nil || mirror.Blob(tt.repository[1:], d) != nil {
				t.Errorf("a blob was uploaded to the mirror, or nowhere: %v", err)
			}
		})
	}
}

// streams reads a blob as a stream, and a range of it.
func streams(t *testing.T, repo *registry.Repository, sum digest.Digest, blob []byte) {
	t.Helper()
	body, err := repo.Blob(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, blob) {
		t.Errorf("Blob: %q, %v", got, err)
	}
	err = repo.ReadRange(t.Context(), sum, 2, 5, func(r io.Reader, whole bool) (err error) {
		got, err = io.ReadAll(r)
		if whole || string(got) != "igh" {
			t.Errorf("ReadRange: %q", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// For what neither has, the error is about the registry.
func TestMirrorsOfNothing(t *testing.T) {
	t.Parallel()
	mirror, home := testworld.NewRegistry(t, testworld.RegistryOptions{}), testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret"})
	directory := t.TempDir()
	put(t, directory+"/"+home.Host+"/hosts.toml", "[host.'"+mirror.URL+"']\n")
	opts := hasty()
	opts.Hosts, opts.ReadOnly = registry.Hosts{directory}, true
	repo, err := registry.Open(t.Context(), home.Host+"/acme/model", opts)
	if err != nil {
		t.Fatal(err)
	}
	x := digest.FromString("x")
	_, err = repo.ReadBlob(t.Context(), x)
	rangeErr := repo.ReadRange(t.Context(), x, 2, 5, func(io.Reader, bool) error { return nil })
	for _, err := range []error{err, rangeErr} {
		checkKind(t, err, failure.Usage, "docker login "+home.Host)
		if err != nil && !strings.Contains(err.Error(), "reading blob "+x.String()) {
			t.Errorf("the error doesn't name the blob: %v", err)
		}
	}
}
