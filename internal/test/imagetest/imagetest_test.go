package imagetest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/imagetest"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Open(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func put(t *testing.T, s content.Store, mediaType string, data []byte) ocispec.Descriptor {
	t.Helper()
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	must(t, content.WriteBlob(t.Context(), s, d.Digest.String(), strings.NewReader(string(data)), d))
	return d
}

func putJSON(t *testing.T, s content.Store, mediaType string, v any) ocispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return put(t, s, mediaType, data)
}

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, h := range headers {
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(315532800, 0)
		}
		h.Format = tar.FormatPAX
		must(t, tw.WriteHeader(&h))
	}
	must(t, tw.Close())
	return buf.Bytes()
}

func zipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(plain)
	must(t, err, w.Close())
	return buf.Bytes()
}

func zstdOf(t *testing.T, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	return w.EncodeAll(plain, nil)
}

type layer struct {
	mediaType string
	blob      []byte
	diffID    digest.Digest
}

func imageOf(t *testing.T, l *layout.Layout, layers ...layer) ocispec.Descriptor {
	t.Helper()
	config := ocispec.Image{RootFS: ocispec.RootFS{Type: "layers"}}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, one := range layers {
		m.Layers = append(m.Layers, put(t, l.Store(), one.mediaType, one.blob))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, one.diffID)
	}
	m.Config = putJSON(t, l.Store(), ocispec.MediaTypeImageConfig, config)
	return putJSON(t, l.Store(), m.MediaType, m)
}

// verifyFaults returns the messages of all faults.
func verifyFaults(err error) (list []string) {
	if err == nil {
		return nil
	}
	_, rest, _ := strings.Cut(err.Error(), ": ") // "verifying DIGEST"
	return strings.Split(rest, "\n")
}

func TestVerify(t *testing.T) {
	good := tarOf(t,
		tar.Header{Name: "a/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "a/b", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "x"}},
		tar.Header{Name: "a.txt", Typeflag: tar.TypeReg},
	)
	is := digest.FromBytes(good)
	plain := func(entries ...tar.Header) []layer {
		b := tarOf(t, entries...)
		return []layer{{ocispec.MediaTypeImageLayer, b, digest.FromBytes(b)}}
	}
	tests := []struct {
		name   string
		layers []layer
		want   []string
	}{
		{"each compression", []layer{
			{ocispec.MediaTypeImageLayer, good, is},
			{ocispec.MediaTypeImageLayerGzip, zipped(t, good), is},
			{ocispec.MediaTypeImageLayerZstd, zstdOf(t, good), is},
		}, nil},
		{
			"another time", plain(tar.Header{Name: "x", ModTime: time.Unix(1700000000, 0)}),
			[]string{`layer 1: path "/x": time is 2023-11-14T22:13:20Z, not the epoch`},
		},
		{
			"access time", plain(tar.Header{Name: "x", AccessTime: time.Unix(1, 0)}),
			[]string{`layer 1: path "/x": has an access or change time`},
		},
		{
			"order", plain(tar.Header{Name: "b"}, tar.Header{Name: "a"}),
			[]string{`layer 1: path "/a": comes after "/b"`},
		},
		{"whiteout", plain(tar.Header{Name: "d/.wh.x"}), []string{`layer 1: path "/d/.wh.x": is a whiteout`}},
		{
			"attributes", plain(tar.Header{Name: "x", PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}),
			[]string{`layer 1: path "/x": has the extended attribute "user.x"`},
		},
		{
			"diff id",
			[]layer{{ocispec.MediaTypeImageLayer, good, digest.FromString("")}},
			[]string{"layer 1: the diff id is " + is.String() + ", not " + digest.FromString("").String()},
		},
		{
			"Docker's type",
			[]layer{{"application/vnd.docker.image.rootfs.diff.tar.gzip", zipped(t, good), is}},
			[]string{`layer 1: media type "application/vnd.docker.image.rootfs.diff.tar.gzip"`},
		},
		{
			"no compression where one is said",
			[]layer{{ocispec.MediaTypeImageLayerGzip, good, is}},
			[]string{"layer 1: gzip: invalid header"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := open(t, t.TempDir())
			err := imagetest.Verify(t.Context(), l.Store(), imageOf(t, l, tt.layers...))
			if diff := cmp.Diff(tt.want, verifyFaults(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerifyFindsADamagedBlob(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	b := tarOf(t, tar.Header{Name: "x", Size: 0}, tar.Header{Name: "y"})
	desc := imageOf(t, l, layer{ocispec.MediaTypeImageLayer, b, digest.FromBytes(b)})
	path := filepath.Join(dir, "blobs/sha256", digest.FromBytes(b).Encoded())
	damaged := append(bytes.Clone(b), 0)
	must(t, os.Chmod(path, 0o644), os.WriteFile(path, damaged, 0o644))
	if err := imagetest.Verify(t.Context(), l.Store(), desc); err == nil || !strings.Contains(err.Error(), "layer 1: the blob's digest is") {
		t.Errorf("got %v", err)
	}
}

func TestVerifyKeepsTheReportShort(t *testing.T) {
	var entries []tar.Header
	for i := range 100 {
		entries = append(entries, tar.Header{Name: string(rune('a'+i%26)) + "x", ModTime: time.Unix(1, 0)})
	}
	l := open(t, t.TempDir())
	b := tarOf(t, entries...)
	err := imagetest.Verify(t.Context(), l.Store(), imageOf(t, l, layer{ocispec.MediaTypeImageLayer, b, digest.FromBytes(b)}))
	if got := verifyFaults(err); len(got) != 11 {
		t.Errorf("%d lines, want 10 and a last word:\n%v", len(got), err)
	}
}

func TestEntries(t *testing.T) {
	l := open(t, t.TempDir())
	plain := tarOf(t,
		tar.Header{Name: "app/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 1, Gid: 2},
		tar.Header{Name: "app/file", Typeflag: tar.TypeReg, Mode: 0o4644},
		tar.Header{Name: "app/link", Typeflag: tar.TypeSymlink, Linkname: "file", Mode: 0o777},
	)
	desc := put(t, l.Store(), ocispec.MediaTypeImageLayerZstd, zstdOf(t, plain))
	got, err := imagetest.Entries(t.Context(), l.Store(), desc)
	must(t, err)
	want := []imagetest.Entry{
		{Path: "/app", Mode: fs.ModeDir | 0o755, UID: 1, GID: 2},
		{Path: "/app/file", Mode: fs.ModeSetuid | 0o644},
		{Path: "/app/link", Mode: fs.ModeSymlink | 0o777, Link: "file"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	var read []byte
	err = imagetest.Tar(t.Context(), l.Store(), desc, func(r io.Reader) (err error) {
		read, err = io.ReadAll(r)
		return err
	})
	if err != nil || !bytes.Equal(read, plain) {
		t.Errorf("the tar has %d bytes, %v; put in were %d", len(read), err, len(plain))
	}
}
