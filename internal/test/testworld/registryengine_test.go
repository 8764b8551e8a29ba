package testworld_test

import (
	"io"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/test/testworld"
)

// TestRegistryServesEngines tests the registry with containerd's client, which BuildKit uses
// to push and pull.
func TestRegistryServesEngines(t *testing.T) {
	t.Parallel()
	for _, opts := range []testworld.RegistryOptions{
		{},
		{User: "ann", Password: "secret"},
		{User: "ann", Password: "secret", Tokens: true},
	} {
		r := testworld.NewRegistry(t, opts)
		login := docker.NewDockerAuthorizer(docker.WithAuthCreds(func(string) (string, string, error) {
			return opts.User, opts.Password, nil
		}))
		resolver := docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(
			docker.WithAuthorizer(login), docker.WithPlainHTTP(docker.MatchLocalhost),
		)})
		ref := r.Host + "/acme/model:1"
		config := []byte("{}")
		manifest := []byte(`{"schemaVersion":2,"config":{"digest":"` + digest.FromBytes(config).String() + `"}}`)
		pusher, err := resolver.Pusher(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		push(t, pusher, ocispec.MediaTypeImageConfig, config)
		push(t, pusher, ocispec.MediaTypeImageManifest, manifest)

		_, found, err := resolver.Resolve(t.Context(), ref)
		if err != nil || found.Digest != digest.FromBytes(manifest) {
			t.Fatalf("resolved %v, %v", found, err)
		}
		fetcher, err := resolver.Fetcher(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := fetcher.Fetch(t.Context(), descriptor(ocispec.MediaTypeImageConfig, config))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(blob); string(got) != "{}" || err != nil {
			t.Errorf("fetched %q, %v", got, err)
		}
		_ = blob.Close()
	}
}

func descriptor(mediaType string, data []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

func push(t *testing.T, pusher remotes.Pusher, mediaType string, data []byte) {
	t.Helper()
	desc := descriptor(mediaType, data)
	w, err := pusher.Push(t.Context(), desc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), desc.Size, desc.Digest); err != nil {
		t.Fatal(err)
	}
}
