package readback

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// opened returns the opened exports of an image "faceblend".
func opened(t *testing.T, stdout io.Writer, lines ...string) *Exports {
	t.Helper()
	x, err := NewExports(outputs(t, lines...), "faceblend", "production", false)
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

// An archive gets its name only when it is complete; a failed build leaves nothing.
func TestArchiveAppearsWhenWhole(t *testing.T) {
	for _, success := range []bool{true, false} {
		dir := t.TempDir()
		x := opened(t, nil, "type=oci,dest="+filepath.Join(dir, "a.tar"))
		x.Of(picture(t), modelSources(t, nil))
		exportTo(t, x, picture(t).Lean(), asIs)
		if _, err := os.Stat(filepath.Join(dir, "a.tar")); err == nil {
			t.Error("the archive has its name before it is complete")
		}
		var want []string
		if success {
			want = []string{"a.tar"}
			if image, err := x.Keep(t.Context()); err != nil || len(image.Manifest.Layers) != 5 {
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
	// The layout comes last: its digests are reported.
	if got := x.Outputs[3].Dest; got != "dist/faceblend" || x.Entries[3].OutputStore == nil {
		t.Errorf("layout is in %q", got)
	}
	w, err := x.Entries[0].Output(nil)
	if err != nil {
		t.Fatal(err)
	}
	err = tar.NewWriter(w).WriteHeader(&tar.Header{Name: "blobs/", Typeflag: tar.TypeDir})
	if err = errors.Join(err, w.Close(), <-x.archives[0].done); err != nil || stdout.Len() != 512 {
		t.Errorf("standard output has %d bytes, %v", stdout.Len(), err)
	}
	if x.Entries[1].Type != "tar" || x.Entries[1].Output == nil || x.Entries[2].Attrs["push"] != "true" {
		t.Errorf("got %v", x.Entries)
	}
}

// A project from elsewhere may contain a dist with links in it. Nothing is written or removed
// where they lead.
func TestLinksInTheUsualPlaceAreRefused(t *testing.T) {
	for _, link := range []string{"dist", "dist/faceblend", "dist/faceblend/blobs", "dist/faceblend/ingest", "dist/faceblend/index.json"} {
		t.Run(link, func(t *testing.T) {
			project, victim := t.TempDir(), t.TempDir()
			t.Chdir(project)
			err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(victim, link), os.WriteFile(filepath.Join(victim, "thesis"), nil, 0o644))
			if err != nil {
				t.Fatal(err)
			}
			x, err := NewExports(outputs(t, "type=oci"), "faceblend", "production", false)
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

// A user who types the same path means what it leads to.
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
	_, err := NewExports(outputs(t, "type=oci,dest="+dir, "type=docker,dest="+file+"/a.tar", file, "type=docker,dest=/dev/null"), "faceblend", "production", false)
	if err == nil {
		t.Fatal("got no error")
	}
	if !strings.Contains(err.Error(), "it is a directory") || !strings.Contains(err.Error(), "writing /dev/null: it is a device") || strings.Count(err.Error(), "is not writable") != 2 {
		t.Errorf("got %q, want three problems", err)
	}
	if len(filesIn(t, dir)) != 1 {
		t.Errorf("left %q behind", filesIn(t, dir))
	}
}

// What can't be committed is reported and removed.
func TestKeepTellsWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	x := opened(t, nil, "type=oci,dest=a.tar", "files")
	x.Of(picture(t), modelSources(t, nil))
	exportTo(t, x, picture(t).Lean(), asIs)
	err := errors.Join(os.MkdirAll("a.tar/thesis", 0o755))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = x.Keep(t.Context()); err == nil || strings.Count(err.Error(), "a.tar") == 0 || !strings.Contains(err.Error(), "committing the output: ") {
		t.Errorf("got %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a.tar", "files"}, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Of two builds of one archive the later one wins, and each is complete. For a directory the
// earlier one wins: two images' files would be mixed.
func TestTwoBuildsOfOneOutput(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	builds := make([]*Exports, 2)
	for i := range builds {
		builds[i] = opened(t, nil, "type=oci,dest=a.tar", "files")
	}
	for i, x := range builds {
		image := picture(t)
		image.Config.Author = fmt.Sprintf("of-%d", i)
		x.Of(image, modelSources(t, nil))
		exportTo(t, x, image.Lean(), asIs)
	}
	first, err := builds[0].Keep(t.Context())
	if err != nil {
		t.Error(err)
	}
	if _, err = builds[1].Keep(t.Context()); err == nil || !strings.Contains(err.Error(), "committing the output: ") {
		t.Errorf("a directory that is not empty is accepted: %v", err)
	}
	for _, x := range builds {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	if data, err := os.ReadFile("a.tar"); err != nil || strings.Contains(string(data), first.Desc.Digest.Encoded()) {
		t.Errorf("the archive is from the earlier build: %v", err)
	}
	if diff := cmp.Diff([]string{"a.tar", "files", "models"}, append(filesIn(t, dir), filesIn(t, "files")...)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestAttributes(t *testing.T) {
	tests := []struct {
		name string
		line string
		want map[string]string
	}{
		{"layout", "type=oci", map[string]string{
			"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true", "tar": "false",
		}},
		{"docker", "type=docker,dest=-,name=a:1,name=b", map[string]string{
			"compression": "uncompressed", "force-compression": "true", "oci-mediatypes": "false", "tar": "true", "name": "a:1,b",
		}},
		{"an archive that podman loads", "type=oci,dest=-,name=a:1,name=b", map[string]string{
			"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true", "tar": "true", "name": "a:1",
		}},
		{"push", `type=image,push=true,"name=a,b:2,a:3",registry.insecure=true,compression=gzip`, map[string]string{
			"compression": "gzip", "force-compression": "true", "oci-mediatypes": "true",
			"name": "docker.io/library/a,docker.io/library/b", "push": "true", "push-by-digest": "true", "store": "false", "registry.insecure": "true",
		}},
		{"the engine's own store", "type=image,name=a:1", map[string]string{
			"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true", "name": "a:1", "push": "false", "registry.insecure": "false",
		}},
		{"files", "out", map[string]string{}},
		{"files as a tar", "type=tar,dest=-", map[string]string{}},
		{"annotated layout", "type=oci,annotation.a=b,annotation-manifest[linux/amd64].c=,annotation-manifest-descriptor.d=e", map[string]string{
			"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true", "tar": "false", "annotation-manifest.a": "b", "annotation-manifest.c": "",
		}},
		{"annotated archive", "type=oci,dest=a,annotation-manifest-descriptor.d=e", map[string]string{
			"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true", "tar": "true", "annotation-manifest-descriptor.d": "e",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Entry(outputs(t, tt.line)[0]).Attrs); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

// An engine describes only the last of several exports: those that need a descriptor share one
// compression, together with those that don't.
func TestBatches(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{[]string{"type=oci"}, "oci"},
		{[]string{"files", "type=oci,dest=a.tar,compression=gzip", "type=docker,dest=b.tar"}, "tar+oci+docker"},
		{[]string{"type=oci", "type=docker,dest=a.tar", "type=image,push=true,name=a"}, "docker+image+oci"},
		{[]string{"type=oci,annotation.a=b", "type=image,push=true,name=a,annotation.a=b"}, "image+oci"},
		{[]string{"type=oci,annotation.a=b", "type=image,push=true,name=a"}, "image oci"},
		{[]string{"type=cacheonly"}, ""},
		{[]string{"type=cacheonly", "type=oci"}, "oci"},
		{[]string{"type=oci", "type=docker,dest=a.tar", "type=image,push=true,name=a,compression=gzip", "type=image,push=true,name=b"}, "docker+image image+oci"},
	} {
		t.Chdir(t.TempDir())
		x := opened(t, nil, tt.lines...)
		var got []string
		batches, err := x.Batches(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			var types []string
			for _, e := range b.Entries {
				types = append(types, e.Type)
			}
			got = append(got, strings.Join(types, "+"))
		}
		if strings.Join(got, " ") != tt.want || len(got) == 0 {
			t.Errorf("%q: got %q", tt.lines, got)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A failed build, and a build that was killed before it, leave nothing in place of their
// outputs.
func TestFailedBuildsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, dead := range []string{".a.tar.lamina-ABCDEFGHIJ", ".root.lamina-ABCDEFGHIJ/usr/bin"} {
		if err := os.MkdirAll(dead, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	x := opened(t, nil, "type=oci", "type=oci,dest=a.tar", "new/directory/files", "root")
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
