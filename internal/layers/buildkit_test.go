package layers_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layers"
)

// buildKits is the digest of the tar that BuildKit's own code writes for the tree below:
// containerd's archive.ChangeWriter (v2.4.2, called by BuildKit v0.34.2), fed by a sorted
// walk without the root like util/overlay.Changes, with the epoch and 0:0 of llb.Copy. It
// was computed once, since that package would bring modules that nothing else here needs.
const buildKits digest.Digest = "sha256:acab46c1c7092fa462a266731988415dddcefc22e9c68f03483567f51ae57707"

// Ours must be identical, so that it doesn't matter which of the two made a layer. The
// tree has every trap: long names, long links, names that aren't ASCII, siblings that
// sort around the slash.
func TestTarIsTheOneThatBuildKitMakes(t *testing.T) {
	long := strings.Repeat("a-rather-long-element/", 12)
	src := tree(t, map[string]string{
		"app/handler.py":                  "print()\n",
		"app/run":                         "#!/bin/sh\n",
		"app/lib/a.py":                    "a",
		"app/lib.py":                      "x",
		"app/lib-b/c":                     strings.Repeat("c", 70000),
		"app/empty/":                      "",
		"app/link":                        "-> lib/a.py",
		"app/far":                         "-> " + long + "target",
		"app/" + long + "file":            "deep",
		"app/\u00fcber-gr\u00fcn":         "not ASCII",
		"app/sp ace\nnewline":             "",
		"app/" + strings.Repeat("n", 150): "long name",
	})
	s, _ := newStore(t)
	l, err := layers.Tree(t.Context(), s, layers.TreeOptions{Name: "app", FS: rooted(t, filepath.Join(src, "app")).FS(), Target: "/app"})
	must(t, err)
	got, err := io.ReadAll(uncompressed(t, s, l))
	must(t, err)
	if d := digest.FromBytes(got); d != buildKits {
		t.Errorf("%d bytes with digest %s are not BuildKit's", len(got), d)
	}
	if l.DiffID != digest.FromBytes(got) || l.Size != int64(len(got)) {
		t.Errorf("diff ID or size is not the tar's: %+v", l)
	}
}

// Changing these digests changes every layer that users have published.
func TestGolden(t *testing.T) {
	s, _ := newStore(t)
	l, err := layers.Tree(t.Context(), s, layers.TreeOptions{Name: "app", FS: rooted(t, pkgTree(t)).FS(), Target: "/app"})
	must(t, err)
	got := map[string]digest.Digest{"diff id": l.DiffID, "blob": l.Blob.Digest, "image": l.Image}
	want := map[string]digest.Digest{
		"diff id": "sha256:6753101363ace2e4e2a813f2fd95b049f08c8b72ffda35a9634105aae10d260d",
		"blob":    "sha256:82a0159cf60ea2de35bc390f91d01de66e4cd2f3295909d901dba3fd43097a09",
		"image":   "sha256:327b7839a50b6aaa0258b6efdfafc40f6ba513d9cb5f7edc7f3f33c805a9b235",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
}
