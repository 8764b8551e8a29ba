package lamina

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
)

// If the tag names another image than the rebuilt one, that is an error.
func TestDifferencesOfAnotherImage(t *testing.T) {
	l, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write := func(mediaType string, v any) ocispec.Descriptor {
		t.Helper()
		data, problem := json.Marshal(v)
		desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		if problem == nil {
			problem = content.WriteBlob(t.Context(), l.Store(), desc.Digest.String(), bytes.NewReader(data), desc)
		}
		if problem != nil {
			t.Fatal(problem)
		}
		return desc
	}
	config := write(ocispec.MediaTypeImageConfig, ocispec.Image{})
	manifest := write(ocispec.MediaTypeImageManifest, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config})
	if err = l.Tag(t.Context(), Production, manifest); err != nil {
		t.Fatal(err)
	}
	_, err = differences(t.Context(), imageSource{}, layout.Image{}, l.Dir(), Production, digest.FromString("another"))
	if err == nil || !strings.Contains(err.Error(), digest.FromString("another").String()+" is not in ") {
		t.Errorf("got %v", err)
	}
}
