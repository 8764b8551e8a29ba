package solve

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/output"
)

func outputs(t *testing.T, lines ...string) []output.Output {
	t.Helper()
	all, err := output.ParseAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// opened are the exports of an image "faceblend" to some places.
func opened(t *testing.T, stdout io.Writer, lines ...string) *Exports {
	t.Helper()
	x, err := NewExports(outputs(t, lines...), "faceblend", false)
	if err == nil {
		err = x.Open(t.Context(), stdout)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// emptyTar is an archive that holds nothing.
var emptyTar = make([]byte, 1024)

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// An archive has its name when it is whole and not before; a failed build
// leaves nothing.
func TestArchiveAppearsWhenWhole(t *testing.T) {
	for _, success := range []bool{true, false} {
		dir := t.TempDir()
		x := opened(t, nil, "type=oci,dest="+filepath.Join(dir, "a.tar"))
		w, err := x.Entries[0].Output(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(emptyTar); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "a.tar")); err == nil {
			t.Error("the archive has its name before it is whole")
		}
		var want []string
		if success {
			want = []string{"a.tar"}
			if image, err := x.Keep(t.Context(), "production", ocispec.Descriptor{Digest: digest.FromString("x")}); err != nil || image.Desc.Digest != "" {
				t.Fatalf("kept is %v, %v", image, err)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
			t.Errorf("success %v: files (-want +got):\n%s", success, diff)
		}
	}
}

func TestOpenedExports(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout bytes.Buffer
	x := opened(t, &stdout, "type=oci", "type=docker,dest=-", "type=image,push=true,name=r.example/a", "files")
	defer x.Close()
	// The layout comes last: its digests are the ones to be reported.
	if got := x.Outputs[3].Dest; got != "dist/faceblend" || x.Entries[3].OutputStore == nil {
		t.Errorf("layout is in %q", got)
	}
	w, err := x.Entries[0].Output(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("tar")); err != nil || w.Close() != nil || stdout.String() != "tar" {
		t.Errorf("standard output has %q, %v", stdout.String(), err)
	}
	if x.Entries[1].Type != "tar" || x.Entries[1].Output == nil || x.Entries[2].Attrs["push"] != "true" {
		t.Errorf("got %v", x.Entries)
	}
}

// A project from elsewhere may bring a dist of its own, with links in it. Nothing is
// written, or removed, where they lead.
func TestLinksInTheUsualPlaceAreRefused(t *testing.T) {
	for _, link := range []string{"dist", "dist/faceblend", "dist/faceblend/blobs", "dist/faceblend/ingest", "dist/faceblend/index.json"} {
		t.Run(link, func(t *testing.T) {
			project, victim := t.TempDir(), t.TempDir()
			t.Chdir(project)
			err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(victim, link), os.WriteFile(filepath.Join(victim, "thesis"), nil, 0o644))
			if err != nil {
				t.Fatal(err)
			}
			x, err := NewExports(outputs(t, "type=oci"), "faceblend", false)
			if err == nil {
				err = x.Open(t.Context(), nil)
			}
			if failure.KindOf(err) != failure.Usage || !strings.Contains(strings.Join(failure.Hints(err), "\n"), "-o type=oci,dest=") {
				t.Errorf("got %v, hints %q", err, failure.Hints(err))
			}
			if diff := cmp.Diff([]string{"thesis"}, filesIn(t, victim)); diff != "" {
				t.Errorf("elsewhere (-want +got):\n%s", diff)
			}
		})
	}
}

// Who types the same path means what it leads to.
func TestATypedDestMayBeALink(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Symlink(t.TempDir(), "dist"); err != nil {
		t.Fatal(err)
	}
	if err := opened(t, nil, "type=oci,dest=dist/faceblend,tar=false").Close(); err != nil {
		t.Error(err)
	}
}

func TestNewExportsReportsAllThatCanNotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := NewExports(outputs(t, "type=oci,dest="+dir, "type=docker,dest="+file+"/a.tar", file), "faceblend", false)
	if err == nil {
		t.Fatal("got no error")
	}
	if !strings.Contains(err.Error(), "it is a folder") || strings.Count(err.Error(), "can not be written to") != 2 {
		t.Errorf("got %q, want three faults", err)
	}
	if len(filesIn(t, dir)) != 1 {
		t.Errorf("left %q behind", filesIn(t, dir))
	}
}

// blob is a value as JSON, and what describes it.
func blob(t *testing.T, mediaType string, value any) (text []byte, d ocispec.Descriptor) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text, ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
}

// bare is an image without layers: its blobs, and what describes its manifest.
func bare(t *testing.T) (blobs map[digest.Digest][]byte, manifest ocispec.Descriptor) {
	t.Helper()
	text, config := blob(t, ocispec.MediaTypeImageConfig, ocispec.Image{Author: "ada"})
	image, manifest := blob(t, ocispec.MediaTypeImageManifest, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config})
	return map[digest.Digest][]byte{config.Digest: text, manifest.Digest: image}, manifest
}

// What a build wrote gets its tag, and what no tag needs any more goes.
func TestKeepTagsTheImageOfALayout(t *testing.T) {
	t.Chdir(t.TempDir())
	x := opened(t, nil, "type=oci", "type=docker,dest=a.tar")
	defer x.Close()
	store := x.Entries[1].OutputStore
	blobs, manifest := bare(t)
	stale := digest.FromString("of the build before")
	blobs[stale] = []byte("of the build before")
	for d, text := range blobs {
		err := content.WriteBlob(t.Context(), store, d.String(), bytes.NewReader(text), ocispec.Descriptor{Digest: d, Size: int64(len(text))})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, x.Entries[0], emptyTar)
	image, err := x.Keep(t.Context(), "production", manifest)
	if err != nil || image.Desc.Digest != manifest.Digest || image.Config.Author != "ada" {
		t.Errorf("kept is %+v, %v", image, err)
	}
	if _, err = store.Info(t.Context(), stale); !errdefs.IsNotFound(err) {
		t.Errorf("what no tag needs is still there: %v", err)
	}
	if err = x.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"a.tar", "dist/faceblend/index.json"} {
		if _, err = os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

// What is in no layout is looked for in the archives, of which not all need to have it.
func TestKeepReadsTheImageOfAnArchive(t *testing.T) {
	t.Chdir(t.TempDir())
	x := opened(t, nil, "type=oci,dest=other.tar", "type=oci,dest=a.tar")
	defer x.Close()
	blobs, manifest := bare(t)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for d, text := range blobs {
		err := w.WriteHeader(&tar.Header{Name: "blobs/sha256/" + d.Encoded(), Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o644})
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, x.Entries[0], emptyTar)
	write(t, x.Entries[1], archive.Bytes())
	if image, err := x.Keep(t.Context(), "production", manifest); err != nil || image.Desc.Digest != manifest.Digest || image.Config.Author != "ada" {
		t.Errorf("kept is %+v, %v", image, err)
	}
}

// What can't be put in its place is told, and goes.
func TestKeepTellsWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	x := opened(t, nil, "type=oci,dest=a.tar", "files")
	write(t, x.Entries[0], emptyTar)
	write(t, x.Entries[1], []byte("no tar at all, by which no folder can be filled: "+strings.Repeat("x", 1024)))
	if err := os.MkdirAll("a.tar/thesis", 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := x.Keep(t.Context(), "production", ocispec.Descriptor{})
	if err == nil || !strings.Contains(err.Error(), "putting the output in its place: ") || !strings.Contains(err.Error(), "reading the image's files") {
		t.Errorf("got %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a.tar"}, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Of two builds of one archive the later one stays, and each is whole. A folder is that
// of the earlier one: two images' files would be mixed.
func TestTwoBuildsOfOneOutput(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	builds := make([]*Exports, 2)
	for i := range builds {
		builds[i] = opened(t, nil, "type=oci,dest=a.tar", "files")
	}
	for i, x := range builds {
		write(t, x.Entries[0], make([]byte, 1024*(i+1))) // two blocks of zeros end a tar
		var files bytes.Buffer
		w := tar.NewWriter(&files)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: fmt.Sprintf("of-%d", i), Mode: 0o644}), w.Close()); err != nil {
			t.Fatal(err)
		}
		write(t, x.Entries[1], files.Bytes())
	}
	if _, err := builds[0].Keep(t.Context(), "production", ocispec.Descriptor{}); err != nil {
		t.Error(err)
	}
	if _, err := builds[1].Keep(t.Context(), "production", ocispec.Descriptor{}); err == nil || !strings.Contains(err.Error(), "putting the output in its place: ") {
		t.Errorf("a folder with something in it is taken: %v", err)
	}
	for _, x := range builds {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat("a.tar"); err != nil || info.Size() != 2048 {
		t.Errorf("the archive is %v, %v", info, err)
	}
	if diff := cmp.Diff([]string{"a.tar", "files", "of-0"}, append(filesIn(t, dir), filesIn(t, "files")...)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// write is what an engine does with an export that isn't kept in a store.
func write(t *testing.T, e client.ExportEntry, data []byte) {
	t.Helper()
	w, err := e.Output(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(data) // a folder says itself what is wrong with it
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAttributes(t *testing.T) {
	tests := []struct {
		name    string
		line    string
		weights bool
		want    map[string]string
	}{
		{"layout", "type=oci", false, map[string]string{
			"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true", "tar": "false",
		}},
		{"weights keep their form", "type=oci,dest=a.tar", true, map[string]string{
			"compression": "zstd", "force-compression": "false", "oci-mediatypes": "true", "tar": "true",
		}},
		{"docker", "type=docker,dest=-,name=a:1", true, map[string]string{
			"compression": "uncompressed", "force-compression": "true", "oci-mediatypes": "false", "tar": "true", "name": "a:1",
		}},
		{"push", `type=image,push=true,"name=a,b",registry.insecure=true,compression=gzip,compression-level=9`, true, map[string]string{
			"compression": "gzip", "compression-level": "9", "force-compression": "true", "oci-mediatypes": "true",
			"name": "a,b", "push": "true", "registry.insecure": "true",
		}},
		{"files", "out", false, map[string]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Entry(outputs(t, tt.line)[0], tt.weights).Attrs); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

// An archive has the date of its image in place of the engine's.
func TestDateOfExports(t *testing.T) {
	created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for want, at := range map[string]*time.Time{"1793491200": &created, "315532800": nil} {
		for line, has := range map[string]bool{"type=oci,dest=a.tar": true, "type=docker,dest=-,name=a": true, "type=oci": true, "files": false, "type=image,name=a": false} {
			entry := Entry(outputs(t, line)[0], false)
			got := dated([]client.ExportEntry{entry}, at)[0].Attrs["source-date-epoch"]
			if has && got != want || !has && got != "" {
				t.Errorf("%s: date %q, want %s", line, got, want)
			}
			if entry.Attrs["source-date-epoch"] != "" {
				t.Errorf("%s: the entry itself is changed", line)
			}
		}
	}
}

// Only where weights stay as they are, and something is stored in another way than zstd,
// the usual export has to go first.
func TestPrime(t *testing.T) {
	for line, want := range map[string]bool{
		"type=oci": false, "type=oci,compression=gzip": true, "type=docker,dest=-": true, "type=docker,dest=-,compression=gzip": true, "files": false,
		"type=image,name=a,compression=estargz": true, "type=image,name=a,compression=zstd,compression-level=3": false,
	} {
		first := (&Exports{Outputs: outputs(t, line), weights: true}).Prime()
		if (len(first) == 1) != want {
			t.Errorf("%s: %v goes first", line, first)
		}
		if bare := (&Exports{Outputs: outputs(t, line)}).Prime(); bare != nil {
			t.Errorf("%s, without weights: %v goes first", line, bare)
		}
		if want && (first[0].Type != "oci" || first[0].Attrs["compression"] != "zstd" || first[0].Attrs["force-compression"] != "false" || first[0].Attrs["tar"] != "true") {
			t.Errorf("%s: %v goes first", line, first[0])
		}
	}
}

// A build that fails, and one that was killed before it, leave nothing where
// their outputs would have been.
func TestFailedBuildsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, dead := range []string{".a.tar.lamina-ABCDEFGHIJ", ".root.lamina-ABCDEFGHIJ/usr/bin"} {
		if err := os.MkdirAll(dead, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	x := opened(t, nil, "type=oci", "type=oci,dest=a.tar", "new/folder/files", "root")
	if _, err := os.Stat("dist/faceblend"); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
