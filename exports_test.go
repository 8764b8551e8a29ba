package lamina

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/output"
)

func outputs(t *testing.T, lines ...string) []output.Output {
	t.Helper()
	all, err := output.ParseAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func entries(t *testing.T, dir string) []string {
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
		x, err := openExports(t.Context(), outputs(t, "type=oci,dest="+filepath.Join(dir, "a.tar")), false, nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := x.entries[0].Output(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("image")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "a.tar")); err == nil {
			t.Error("the archive has its name before it is whole")
		}
		var want []string
		if success {
			want = []string{"a.tar"}
			if err := x.commit(); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, entries(t, dir)); diff != "" {
			t.Errorf("success %v: files (-want +got):\n%s", success, diff)
		}
	}
}

func TestOpenExports(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout bytes.Buffer
	placed, err := places(outputs(t, "type=oci", "type=docker,dest=-", "type=image,push=true,name=r.example/a", "files"), "faceblend")
	if err != nil {
		t.Fatal(err)
	}
	x, err := openExports(t.Context(), placed, false, &stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	// The layout comes last: its digests are the ones to be reported.
	if got := x.outputs[3].Dest; got != "dist/faceblend" || x.entries[3].OutputStore == nil {
		t.Errorf("layout is in %q", got)
	}
	w, err := x.entries[0].Output(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("tar")); err != nil || w.Close() != nil || stdout.String() != "tar" {
		t.Errorf("standard output has %q, %v", stdout.String(), err)
	}
	if x.entries[1].Type != "tar" || x.entries[1].Output == nil || x.entries[2].Attrs["push"] != "true" {
		t.Errorf("got %v", x.entries)
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
			placed, err := places(outputs(t, "type=oci"), "faceblend")
			if err == nil {
				_, err = openExports(t.Context(), placed, false, nil)
			}
			if failure.KindOf(err) != failure.Usage || !strings.Contains(strings.Join(failure.Hints(err), "\n"), "-o type=oci,dest=") {
				t.Errorf("got %v, hints %q", err, failure.Hints(err))
			}
			if diff := cmp.Diff([]string{"thesis"}, entries(t, victim)); diff != "" {
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
	placed, err := places(outputs(t, "type=oci,dest=dist/faceblend,tar=false"), "faceblend")
	if err != nil {
		t.Fatal(err)
	}
	x, err := openExports(t.Context(), placed, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.close(); err != nil {
		t.Error(err)
	}
}

func TestPlacesReportsAllThatCanNotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := places(outputs(t, "type=oci,dest="+dir, "type=docker,dest="+file+"/a.tar", file), "faceblend")
	if err == nil {
		t.Fatal("got no error")
	}
	if !strings.Contains(err.Error(), "it is a folder") || strings.Count(err.Error(), "can not be written to") != 2 {
		t.Errorf("got %q, want three faults", err)
	}
	if len(entries(t, dir)) != 1 {
		t.Errorf("left %q behind", entries(t, dir))
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
			if diff := cmp.Diff(tt.want, attributes(outputs(t, tt.line)[0], tt.weights)); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
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
	placed, err := places(outputs(t, "type=oci", "type=oci,dest=a.tar", "new/folder/files", "root"), "faceblend")
	if err != nil {
		t.Fatal(err)
	}
	x, err := openExports(t.Context(), placed, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("dist/faceblend"); err != nil {
		t.Fatal(err)
	}
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
