package registry_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/referrer"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// A registry lists what refers to an image, by its API or by a tag: each document once,
// also where it is attached again. The image and its tags stay as they are.
func TestAttach(t *testing.T) {
	quiet := gcr.Logger(log.New(io.Discard, "", 0))
	for name, host := range map[string]func() string{
		"API": func() string {
			s := httptest.NewServer(gcr.New(quiet, gcr.WithReferrersSupport(true)))
			t.Cleanup(s.Close)
			return strings.TrimPrefix(s.URL, "http://")
		},
		"API, ours": func() string { return testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true}).Host },
		"tag":       func() string { return testworld.NewRegistry(t, testworld.RegistryOptions{}).Host },
		"tag, theirs": func() string {
			s := httptest.NewServer(gcr.New(quiet))
			t.Cleanup(s.Close)
			return strings.TrimPrefix(s.URL, "http://")
		},
	} {
		t.Run(name, func(t *testing.T) {
			repo, err := registry.Open(t.Context(), host()+"/acme/model", hasty())
			if err != nil {
				t.Fatal(err)
			}
			subject := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("image"), Size: 5}
			list, err := repo.Referrers(t.Context(), subject.Digest)
			if err != nil || len(list) != 0 {
				t.Errorf("before: %v, %v", list, err)
			}
			documents := []referrer.Attachment{
				{Type: "application/spdx+json", Name: "sbom.spdx.json", Created: time.Unix(0, 0), Data: []byte(`{"a":1}`)},
				{Type: "application/vnd.lamina.lock.v3+toml", Name: "image.lock", Created: time.Unix(0, 0), Data: []byte("a = 1\n")},
			}
			for range 2 {
				for _, a := range documents {
					if err = repo.Attach(t.Context(), subject, a); err != nil {
						t.Fatal(err)
					}
				}
			}
			list, err = repo.Referrers(t.Context(), subject.Digest)
			if err != nil || len(list) != len(documents) {
				t.Fatalf("%d of %d are listed: %v, %v", len(list), len(documents), list, err)
			}
			for _, a := range documents {
				found := false
				for _, d := range list {
					if d.ArtifactType == a.Type {
						data, err := repo.Document(t.Context(), d)
						found = err == nil && string(data) == string(a.Data)
					}
				}
				if !found {
					t.Errorf("%s can't be read", a.Name)
				}
			}
			if list, err := repo.Referrers(t.Context(), digest.FromString("another image")); err != nil || len(list) != 0 {
				t.Errorf("of another image: %v, %v", list, err)
			}
		})
	}
}

// Each step that a registry refuses is told.
func TestRefusedReferrersAreTold(t *testing.T) {
	subject := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("image"), Size: 5}
	document := referrer.Attachment{Type: "application/spdx+json", Name: "sbom.spdx.json", Created: time.Unix(0, 0), Data: []byte(`{"a":1}`)}
	untyped := document
	untyped.Type = ""
	attach := func(r *registry.Repository) error { return r.Attach(t.Context(), subject, document) }
	list := func(r *registry.Repository) error {
		err := r.Attach(t.Context(), subject, untyped)
		if err == nil {
			_, err = r.Referrers(t.Context(), subject.Digest)
		}
		return err
	}
	for _, tt := range []struct {
		refused   string
		referrers bool // the registry has the API
		do        func(*registry.Repository) error
	}{
		{"POST /v2/acme/model/blobs/uploads", true, attach},
		{"PUT /v2/acme/model/manifests/sha256:*", true, attach},
		{"GET /v2/acme/model/manifests/sha256-*", false, attach},
		{"PUT /v2/acme/model/manifests/sha256-*", false, attach},
		{"GET /v2/acme/model/referrers/*", true, list},
		{"GET /v2/acme/model/manifests/sha256-*", false, list},
		{"GET /v2/acme/model/manifests/sha256:*", true, list},
	} {
		for _, code := range []int{0, http.StatusForbidden} {
			host := testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: tt.referrers})
			repo, err := registry.Open(t.Context(), host.Host+"/acme/model", hasty())
			if err != nil {
				t.Fatal(err)
			}
			if code != 0 {
				host.Fail(tt.refused, testworld.Status(code, testworld.Always))
			}
			var status *registry.StatusError
			if err = tt.do(repo); errors.As(err, &status) && status.Code != code || (err != nil) != (code != 0) {
				t.Errorf("%s answers %d: got %v", tt.refused, code, err)
			}
		}
	}
}
