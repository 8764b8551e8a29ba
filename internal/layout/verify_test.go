package layout_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	lay "lamina.build/internal/layout"
)

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

func imageOf(t *testing.T, l *lay.Layout, layers ...layer) ocispec.Descriptor {
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

// verifyFaults are the messages of all VerifyErrors.
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
		o      lay.VerifyOptions
		want   []string
	}{
		{"each compression", []layer{
			{ocispec.MediaTypeImageLayer, good, is},
			{ocispec.MediaTypeImageLayerGzip, zipped(t, good), is},
			{ocispec.MediaTypeImageLayerZstd, zstdOf(t, good), is},
		}, lay.VerifyOptions{}, nil},
		{
			"another time", plain(tar.Header{Name: "x", ModTime: time.Unix(1700000000, 0)}),
			lay.VerifyOptions{},
			[]string{`layer 1: path "/x": time is 2023-11-14T22:13:20Z, not the epoch`},
		},
		{"another epoch", plain(tar.Header{Name: "x", ModTime: time.Unix(1700000000, 0)}), lay.VerifyOptions{Epoch: 1700000000}, nil},
		{
			"access time", plain(tar.Header{Name: "x", AccessTime: time.Unix(1, 0)}),
			lay.VerifyOptions{},
			[]string{`layer 1: path "/x": has an access or change time`},
		},
		{
			"order", plain(tar.Header{Name: "b"}, tar.Header{Name: "a"}),
			lay.VerifyOptions{},
			[]string{`layer 1: path "/a": comes after "/b"`},
		},
		{"no order asked", plain(tar.Header{Name: "b"}, tar.Header{Name: "a"}), lay.VerifyOptions{Unsorted: true}, nil},
		{"whiteout", plain(tar.Header{Name: "d/.wh.x"}), lay.VerifyOptions{}, []string{`layer 1: path "/d/.wh.x": is a whiteout`}},
		{
			"attributes", plain(tar.Header{Name: "x", PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}),
			lay.VerifyOptions{},
			[]string{`layer 1: path "/x": has the extended attribute "user.x"`},
		},
		{
			"diff id",
			[]layer{{ocispec.MediaTypeImageLayer, good, digest.FromString("")}},
			lay.VerifyOptions{},
			[]string{"layer 1: the diff id is " + is.String() + ", not " + digest.FromString("").String()},
		},
		{
			"Docker's type",
			[]layer{{"application/vnd.docker.image.rootfs.diff.tar.gzip", zipped(t, good), is}},
			lay.VerifyOptions{},
			[]string{`layer 1: media type "application/vnd.docker.image.rootfs.diff.tar.gzip"`},
		},
		{
			"Docker's type where it may be",
			[]layer{{"application/vnd.docker.image.rootfs.diff.tar.gzip", zipped(t, good), is}},
			lay.VerifyOptions{Docker: true},
			nil,
		},
		{
			"no compression where one is said",
			[]layer{{ocispec.MediaTypeImageLayerGzip, good, is}},
			lay.VerifyOptions{},
			[]string{"layer 1: gzip: invalid header"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := open(t, t.TempDir())
			err := lay.Verify(t.Context(), l.Store(), imageOf(t, l, tt.layers...), tt.o)
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
	var v *lay.VerifyError
	if err := lay.Verify(t.Context(), l.Store(), desc, lay.VerifyOptions{}); !errors.As(err, &v) || v.Blob != "layer 1" {
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
	err := lay.Verify(t.Context(), l.Store(), imageOf(t, l, layer{ocispec.MediaTypeImageLayer, b, digest.FromBytes(b)}), lay.VerifyOptions{})
	if got := verifyFaults(err); len(got) != 11 {
		t.Errorf("%d lines, want 10 and a last word:\n%v", len(got), err)
	}
}
