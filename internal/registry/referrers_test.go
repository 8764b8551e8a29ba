package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/referrer"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// A registry lists the referrers of an image, by its API or by a tag: each document once,
// even if attached again. The image and its tags don't change.
func TestAttach(t *testing.T) {
	quiet := gcr.Logger(log.New(io.Discard, "", 0))
	for name, host := range map[string]func() string{
		"API": func() string {
			s := httptest.NewServer(gcr.New(quiet, gcr.WithReferrersSupport(true)))
			t.Cleanup(s.Close)
			return strings.TrimPrefix(s.URL, "http://")
		},
		"API, ours": func() string { return testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true}).Host },
		"API, a page each": func() string {
			return testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true, ReferrersPage: 1}).Host
		},
		"tag, with ETags": func() string { return testworld.NewRegistry(t, testworld.RegistryOptions{ETags: true}).Host },
		"tag":             func() string { return testworld.NewRegistry(t, testworld.RegistryOptions{}).Host },
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
				made, problem := repo.Attach(t.Context(), subject, documents...)
				if problem != nil || len(made) != len(documents) || made[0].ArtifactType != documents[0].Type {
					t.Fatalf("%v, %v", made, problem)
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

// Each request that a registry refuses gives an error.
func TestRefusedReferrersAreTold(t *testing.T) {
	subject := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("image"), Size: 5}
	document := referrer.Attachment{Type: "application/spdx+json", Name: "sbom.spdx.json", Created: time.Unix(0, 0), Data: []byte(`{"a":1}`)}
	untyped := document
	untyped.Type = ""
	attach := func(r *registry.Repository) error {
		_, err := r.Attach(t.Context(), subject, document)
		return err
	}
	list := func(r *registry.Repository) error {
		_, err := r.Attach(t.Context(), subject, untyped)
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

// After concurrent pushes the list has every document, even if one push has overwritten
// another's list.
func TestAttachAtTheSameTime(t *testing.T) {
	subject := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("image"), Size: 5}
	document := func(i int) referrer.Attachment {
		return referrer.Attachment{Type: fmt.Sprintf("application/x%d", i), Name: "x", Created: time.Unix(0, 0), Data: []byte("x")}
	}
	listed := func(t *testing.T, host string) int {
		t.Helper()
		repo, err := registry.Open(t.Context(), host+"/acme/model", hasty())
		if err != nil {
			t.Fatal(err)
		}
		list, err := repo.Referrers(t.Context(), subject.Digest)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	t.Run("ETags", func(t *testing.T) {
		const pushes = 8
		host := testworld.NewRegistry(t, testworld.RegistryOptions{ETags: true}).Host
		var all errgroup.Group
		for i := range pushes {
			repo, err := registry.Open(t.Context(), host+"/acme/model", hasty())
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() error {
				_, err := repo.Attach(t.Context(), subject, document(i))
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, host); got != pushes {
			t.Errorf("%d of %d are listed", got, pushes)
		}
	})
	t.Run("read back", func(t *testing.T) {
		to, err := url.Parse("http://" + testworld.NewRegistry(t, testworld.RegistryOptions{}).Host)
		if err != nil {
			t.Fatal(err)
		}
		empty, err := referrer.Index(nil)
		if err != nil {
			t.Fatal(err)
		}
		var overwritten atomic.Bool
		proxy := httputil.NewSingleHostReverseProxy(to)
		proxy.ModifyResponse = func(r *http.Response) error {
			if r.Request.Method != http.MethodPut || !strings.HasSuffix(r.Request.URL.Path, "/manifests/"+referrer.Tag(subject.Digest)) || overwritten.Swap(true) {
				return nil
			}
			var req *http.Request
			req, err = http.NewRequestWithContext(r.Request.Context(), http.MethodPut, r.Request.URL.String(), bytes.NewReader(empty))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", ocispec.MediaTypeImageIndex)
			var resp *http.Response
			resp, err = http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
		s := httptest.NewServer(proxy)
		t.Cleanup(s.Close)
		host := strings.TrimPrefix(s.URL, "http://")
		repo, err := registry.Open(t.Context(), host+"/acme/model", hasty())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = repo.Attach(t.Context(), subject, document(1)); err != nil || !overwritten.Load() {
			t.Fatal(overwritten.Load(), err)
		}
		if got := listed(t, host); got != 1 {
			t.Errorf("%d are listed", got)
		}
	})
}
