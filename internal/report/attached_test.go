package report

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build"
)

// A summary lists attachments by digest and type, if there are any.
func TestImageSaysWhatIsAttached(t *testing.T) {
	m := made()
	if text := Image(m, again); strings.Contains(text, "attached") {
		t.Errorf("without attachments:\n%s", text)
	}
	d := digest.FromString("sbom")
	m.Attached = []lamina.Attached{{Type: lamina.SPDXType, Digest: d}}
	if text, want := Image(m, again), "\nattached:\n  "+d.String()+"  application/spdx+json\n"; !strings.HasSuffix(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}

// Of an index the result of its comparison comes first; differences come with their likely causes.
func TestVerifiedImages(t *testing.T) {
	one, other, index := digest.FromString("one"), digest.FromString("other"), digest.FromString("index")
	v := lamina.Verified{
		Image:   lamina.Inspected{Name: "r.example/a:1", Manifest: one, Platform: "linux/amd64", Index: &lamina.InspectedIndex{Digest: index}},
		Variant: "production", Rebuilt: one, Index: index, Engine: "BuildKit v0.34.2", Snapshotter: "overlayfs",
		Further: []lamina.Verified{{
			Image: lamina.Inspected{Name: "r.example/a:1", Manifest: other, Platform: "linux/arm64", Attached: []lamina.Attached{{
				Type: lamina.SPDXType, Annotations: map[string]string{lamina.EngineAnnotation: "BuildKit v0.34.1", lamina.SnapshotterAnnotation: "native"},
			}}},
			Variant: "production", Rebuilt: one, Engine: "BuildKit v0.34.2", Snapshotter: "overlayfs", Differences: []lamina.ImageDifference{{Path: "annotations.a", What: "new"}},
		}},
	}
	want := "r.example/a:1  production  index of 2 images\n" + index.String() + "\n\nthe same, rebuilt\n\n" +
		"r.example/a:1  production  linux/amd64\n" + one.String() + "\n\nthe same, rebuilt with BuildKit v0.34.2\n\n" +
		"r.example/a:1  production  linux/arm64\n" + other.String() + "\n\nrebuilt with BuildKit v0.34.2 it is\n" + one.String() + "\n\n" +
		"the image was built with BuildKit v0.34.1, and rebuilt with BuildKit v0.34.2, which may be why\n" +
		"the image was built with native, and rebuilt with overlayfs, which may be why\nannotations.a: new\n"
	if got := VerifiedImage(v); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	v.Index = other
	if got := VerifiedImage(v); !strings.Contains(got, index.String()+"\n\nrebuilt it is\n"+other.String()+"\n\n") {
		t.Errorf("got\n%s", got)
	}
	v.Index = ""
	if got := VerifiedImage(v); strings.Contains(got, "index") {
		t.Errorf("got\n%s", got)
	}
}
