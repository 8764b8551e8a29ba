package registry_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

func TestHas(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo := open(t, r, hasty())
	d := r.AddBlob("acme/model", []byte("blob"))
	r.AddBlob("acme/other", []byte("other"))
	for d, want := range map[digest.Digest]bool{d: true, digest.FromString("other"): false} {
		r.Fail("HEAD /v2/**", testworld.Status(http.StatusBadGateway, 2))
		if has, err := repo.Has(t.Context(), d); has != want || err != nil {
			t.Errorf("got %v, %v, want %v", has, err, want)
		}
	}
	r.Fail("HEAD /v2/**", testworld.Status(http.StatusForbidden, 1))
	_, err := repo.Has(t.Context(), d)
	checkKind(t, err, failure.Usage, "who may push to acme/model")
}

func TestBlob(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo := open(t, r, hasty())
	d := r.AddBlob("acme/model", []byte("blob"))
	r.Fail("GET /v2/**", testworld.Status(http.StatusBadGateway, 2))
	body, err := repo.Blob(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	if data, err = io.ReadAll(body); string(data) != "blob" || err != nil || body.Close() != nil {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err = repo.Blob(t.Context(), digest.FromString("other")); !errors.Is(err, registry.ErrNotFound) || failure.KindOf(err) != failure.Failure {
		t.Errorf("one that isn't there: %v", err)
	}
	r.Fail("GET /v2/**", testworld.Status(http.StatusForbidden, 1))
	_, err = repo.Blob(t.Context(), d)
	checkKind(t, err, failure.Usage, "docker login")
	r.Fail("GET /v2/**", testworld.Status(http.StatusServiceUnavailable, testworld.Always))
	_, err = repo.Blob(t.Context(), d)
	checkKind(t, err, failure.Transient, "run it again")
}

func TestMount(t *testing.T) {
	t.Parallel()
	for _, tokens := range []bool{false, true} {
		r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: tokens})
		opts := hasty()
		opts.Keychain = keychain{"ann", "secret"}
		repo := open(t, r, opts)
		d := r.AddBlob("acme/source", []byte("blob"))
		for from, want := range map[string]bool{"acme/source": true, "acme/none": false} {
			if mounted, err := repo.Mount(t.Context(), d, from); mounted != want || err != nil {
				t.Errorf("tokens %v, from %s: got %v, %v, want %v", tokens, from, mounted, err, want)
			}
		}
		check(t, r, d)
		if r.Uploads() != 0 {
			t.Error("the upload that the registry started instead is still open")
		}
		r.Fail("POST /v2/**", testworld.Status(http.StatusForbidden, 1))
		if mounted, err := repo.Mount(t.Context(), d, "acme/source"); mounted || err != nil {
			t.Errorf("a refusal: got %v, %v, want to have it uploaded", mounted, err)
		}
		r.Fail("POST /v2/**", testworld.Status(http.StatusServiceUnavailable, testworld.Always))
		_, err := repo.Mount(t.Context(), d, "acme/source")
		checkKind(t, err, failure.Transient, "run it again") // uploading now would fail, too
		r.Heal()
		r.Stop()
		_, err = repo.Mount(t.Context(), d, "acme/source")
		checkKind(t, err, failure.Transient, "run it again")
	}
}

func TestPutBlob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault testworld.Fault
	}{
		{"as it should be", testworld.Fault{}},
		{"broken", testworld.Status(http.StatusInternalServerError, 2)},
		{"cut", testworld.CutUpload(3, true, 2)},
		{"answer lost", testworld.LoseAnswer(1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			repo := open(t, r, hasty())
			r.Fail(puts, tt.fault)
			for range 2 {
				d, err := repo.PutBlob(t.Context(), []byte("configuration"))
				if err != nil || d != digest.FromString("configuration") {
					t.Fatalf("got %s, %v", d, err)
				}
				check(t, r, d)
			}
			if got := r.ReceivedOf(digest.FromString("configuration")); got != 13 {
				t.Errorf("the blob came with %d bytes, want 13", got)
			}
		})
	}
}

func TestManifests(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	repo := open(t, r, hasty())
	data := []byte(`{"schemaVersion":2}`)
	d := digest.FromBytes(data)
	if _, _, err := repo.Manifest(t.Context(), "1"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v, want %v", err, registry.ErrNotFound)
	}
	r.Fail("/v2/acme/model/manifests/*", testworld.Status(http.StatusBadGateway, 2))
	if err := repo.PutManifest(t.Context(), "1", ocispec.MediaTypeImageManifest, data); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"1", d.String()} {
		got, content, err := repo.Manifest(t.Context(), reference)
		want := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: d, Size: int64(len(data))}
		if err != nil || got.MediaType != want.MediaType || got.Digest != want.Digest || got.Size != want.Size || string(content) != string(data) {
			t.Errorf("%s: got %v, %q, %v", reference, got, content, err)
		}
	}
	r.Fail("/v2/acme/model/manifests/*", testworld.Wrong(1))
	if _, _, err := repo.Manifest(t.Context(), d.String()); err == nil {
		t.Error("a manifest of another digest is accepted")
	}
	missing := []byte(`{"config":{"digest":"` + digest.FromString("none").String() + `"}}`)
	if err := repo.PutManifest(t.Context(), "2", ocispec.MediaTypeImageManifest, missing); err == nil {
		t.Error("an incomplete image is accepted")
	}
}
