package imagediff_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/imagediff"
)

type file struct {
	tar.Header
	content string
}

func regular(name, content string) file {
	return file{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(0, 0)}, content}
}

// layer is a layer of an image: its files, what made it, and its media type.
type layer struct {
	what, media string
	files       []file
}

func image(t *testing.T, env string, layers ...layer) imagediff.Image {
	t.Helper()
	blobs := map[digest.Digest][]byte{}
	i := imagediff.Image{Open: func(_ context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(blobs[d.Digest])), nil
	}}
	i.Config.Config.Env = []string{env}
	for _, l := range layers {
		var plain bytes.Buffer
		w := tar.NewWriter(&plain)
		for _, f := range l.files {
			if err := w.WriteHeader(&f.Header); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, f.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		stored := plain.Bytes()
		switch l.media {
		case ocispec.MediaTypeImageLayerGzip:
			var b bytes.Buffer
			g := gzip.NewWriter(&b)
			_, _ = g.Write(stored)
			_ = g.Close()
			stored = b.Bytes()
		case ocispec.MediaTypeImageLayerZstd:
			e, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			stored = e.EncodeAll(stored, nil)
		}
		d := digest.FromBytes(stored)
		blobs[d] = stored
		i.Manifest.Layers = append(i.Manifest.Layers, ocispec.Descriptor{MediaType: l.media, Digest: d, Size: int64(len(stored))})
		i.Config.RootFS.DiffIDs = append(i.Config.RootFS.DiffIDs, digest.FromBytes(plain.Bytes()))
		i.Config.History = append(i.Config.History, ocispec.History{CreatedBy: "lamina " + l.what})
	}
	return i
}

// Differences are named by layer, path and byte, in whatever form the layer is stored; identical
// layers aren't read.
func TestCompare(t *testing.T) {
	const zst, gz = ocispec.MediaTypeImageLayerZstd, ocispec.MediaTypeImageLayerGzip
	big := string(bytes.Repeat([]byte("x"), 200_000))
	owned, linked, old := regular("a", "1"), regular("b", ""), regular("c", "1")
	owned.Uid, owned.Mode = 5, 0o4755
	linked.Typeflag, linked.Linkname = tar.TypeSymlink, "/etc/shadow"
	old.ModTime = time.Unix(60, 0)
	able := regular("d", "1")
	able.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01"}
	abcd := []file{regular("a", "1"), regular("b", ""), regular("c", "1"), regular("d", "1")}
	for _, tt := range []struct {
		name      string
		want, got []layer
		env       string
		says      []string
	}{
		{"the same", []layer{{"app", zst, abcd}}, []layer{{"app", zst, abcd}}, "A=1", nil},
		{
			"one byte",
			[]layer{{"app", zst, []file{regular("./x", big), regular("y", "1"), regular("z", "12")}}},
			[]layer{{"app", zst, []file{regular("x", big[:150_000]+"y"+big[150_001:]), regular("y", "1"), regular("z", "13")}}},
			"A=1",
			[]string{"app: /x: content, from byte 150000 on", "app: /z: content, from byte 1 on"},
		},
		{
			"longer, missing, new",
			[]layer{{"app", gz, []file{regular("x", "1"), regular("y", "1")}}},
			[]layer{{"app", gz, []file{regular("x", "12"), regular("z", "1")}}},
			"A=1",
			[]string{"app: /x: content, from byte 1 on; size 2, was 1", "app: /y: it is missing", "app: /z: it is new"},
		},
		{
			"metadata",
			[]layer{{"app", zst, abcd}},
			[]layer{{"app", zst, []file{owned, linked, old, able}}},
			"A=1",
			[]string{
				"app: /a: mode 4755, was 0644; owner 5:0, was 0:0", "app: /b: type 2, was 0; link /etc/shadow, was ",
				"app: /c: time 1970-01-01T00:01:00Z, was 1970-01-01T00:00:00Z", `app: /d: SCHILY.xattr.security.capability "\x01", was none`,
			},
		},
		{
			"order",
			[]layer{{"app", zst, abcd}},
			[]layer{{"app", zst, []file{abcd[3], abcd[1], abcd[2], abcd[0]}}},
			"A=1",
			[]string{"app: the entries are the same, in another order or encoding"},
		},
		{
			"stored differently",
			[]layer{{"app", zst, abcd}},
			[]layer{{"app", gz, abcd}},
			"A=1",
			[]string{"app: the content is the same, stored as " + zst + " and as " + gz},
		},
		{
			"another layer",
			[]layer{{"base", zst, abcd}, {"app", zst, abcd}},
			[]layer{{"base", zst, abcd}, {"model", zst, abcd}},
			"A=1",
			[]string{"app: the layer is missing, number 2 of the first image", "model: the layer is new, number 2 of the second image", `history: [{"created_by":"lamina base"},{"created_by":"lamina app"}] in the one, [{"created_by":"lamina base"},{"created_by":"lamina model"}] in the other`},
		},
		{"config", []layer{{"app", zst, abcd}}, []layer{{"app", zst, abcd}}, "A=2", []string{`config.Env: ["A=1"] in the one, ["A=2"] in the other`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := imagediff.Compare(t.Context(), image(t, "A=1", tt.want...), image(t, tt.env, tt.got...))
			var got []string
			for _, d := range list {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(tt.says, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Annotations of manifests are compared, too.
func TestCompareOfAnnotations(t *testing.T) {
	want, got := image(t, "A=1"), image(t, "A=1")
	want.Manifest.Annotations = map[string]string{"a": "1", "b": "2"}
	got.Manifest.Annotations = map[string]string{"b": "2", "c": "3"}
	list, err := imagediff.Compare(t.Context(), want, got)
	if err != nil {
		t.Fatal(err)
	}
	said := []imagediff.Difference{{Path: "annotations.a", What: `"1" in the one, nothing in the other`}, {Path: "annotations.c", What: `nothing in the one, "3" in the other`}}
	if diff := cmp.Diff(said, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An unreadable layer ends a comparison with an error, and nothing blocks forever.
func TestCompareOfBrokenLayer(t *testing.T) {
	const zst = ocispec.MediaTypeImageLayerZstd
	good := image(t, "A=1", layer{"app", zst, []file{regular("x", "1")}})
	bad := image(t, "A=1", layer{"app", zst, []file{regular("x", "2")}})
	bad.Open = func(context.Context, ocispec.Descriptor) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte("no zstd"))), nil
	}
	if _, err := imagediff.Compare(t.Context(), good, bad); err == nil {
		t.Error("there is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := imagediff.Compare(ctx, good, image(t, "A=1", layer{"app", zst, []file{regular("x", "2")}})); err == nil {
		t.Error("a canceled comparison has no error")
	}
}
