package layout_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	lay "lamina.build/internal/layout"
)

// tree lists everything below a directory, with the content of files.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = e.Type().String()
		if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			found[name] = string(data)
			return err
		}
		return nil
	}))
	return found
}

// A project from elsewhere may have links where the layout belongs. None is followed, not
// even one that stays inside, and its target doesn't change.
func TestNoLinkBelowTheUsualPlaceIsFollowed(t *testing.T) {
	hex := digest.FromString("blob").Encoded()
	for _, link := range []string{
		"dist", "dist/x", "dist/x/blobs", "dist/x/blobs/sha256", "dist/x/ingest", "dist/x/index.json", "dist/x/oci-layout",
		"dist/x/.lease", "dist/x/.lock", "dist/x/blobs/sha256/" + hex,
	} {
		for _, kind := range []string{"directory elsewhere", "layout elsewhere", "file elsewhere", "directory inside", "nothing", "FIFO"} {
			t.Run(link+" is "+kind, func(t *testing.T) {
				project, victim := t.TempDir(), t.TempDir()
				at := filepath.Join(project, link)
				if kind == "layout elsewhere" {
					must(t, open(t, victim).Close())
				}
				must(t, os.MkdirAll(filepath.Join(victim, "Documents"), 0o755), os.WriteFile(filepath.Join(victim, "Documents/thesis"), []byte("x"), 0o644),
					os.MkdirAll(filepath.Join(project, ".git/objects"), 0o755), os.MkdirAll(filepath.Dir(at), 0o755))
				switch kind {
				case "directory elsewhere", "layout elsewhere":
					must(t, os.Symlink(victim, at))
				case "file elsewhere":
					must(t, os.Symlink(filepath.Join(victim, "Documents/thesis"), at))
				case "directory inside":
					target, err := filepath.Rel(filepath.Dir(at), filepath.Join(project, ".git"))
					must(t, err, os.Symlink(target, at))
				case "nothing":
					must(t, os.Symlink(filepath.Join(victim, "new"), at))
				case "FIFO":
					must(t, unix.Mkfifo(at, 0o644))
				}
				before, inside := tree(t, victim), tree(t, project)
				l, err := lay.OpenAt(t.Context(), beneath.Place{Typed: project, Below: "dist/x"})
				if err == nil {
					must(t, l.Discard())
					t.Fatal("it was opened")
				}
				if failure.KindOf(err) != failure.Usage || !strings.Contains(strings.Join(failure.Hints(err), ""), "-o type=oci,dest=") {
					t.Errorf("got %v (kind %d, hints %q)", err, failure.KindOf(err), failure.Hints(err))
				}
				if diff := cmp.Diff(before, tree(t, victim)); diff != "" {
					t.Errorf("elsewhere (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(inside, tree(t, project)); diff != "" {
					t.Errorf("the project (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// The directory that the user typed may be a link; what is below it must not.
func TestATypedDirectoryMayBeALink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o755), os.Symlink("real", filepath.Join(dir, "link")))
	l := open(t, filepath.Join(dir, "link"))
	must(t, l.Tag(t.Context(), "production", export(t, l, "text")), l.Close())
	if blobs(t, filepath.Join(dir, "real")) == 0 {
		t.Error("the target is empty")
	}
	must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "real", "ingest")))
	if _, err := lay.Open(t.Context(), filepath.Join(dir, "link")); failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v", err)
	}
}

// Links that appear while the layout is open aren't followed, either.
func TestLinksThatComeLater(t *testing.T) {
	dir, victim := t.TempDir(), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(victim, "Documents"), 0o755), os.MkdirAll(filepath.Join(victim, "sha256"), 0o755))
	l := open(t, dir)
	desc := export(t, l, "text")
	must(t, os.WriteFile(filepath.Join(victim, "sha256", desc.Digest.Encoded()), []byte("mine"), 0o644))
	before := tree(t, victim)
	swap := func(name string) {
		must(t, os.RemoveAll(filepath.Join(dir, name)), os.Symlink(victim, filepath.Join(dir, name)))
	}
	swap("ingest")
	swap("blobs")
	ctx := t.Context()
	_, read := l.Store().ReaderAt(ctx, desc)
	_, info := l.Store().Info(ctx, desc.Digest)
	_, write := l.Store().Writer(ctx)
	_, cleanup := l.Cleanup(ctx)
	for _, err := range []error{read, info, write, cleanup, l.Store().Delete(ctx, desc.Digest), l.Tag(ctx, "x", desc)} {
		if failure.KindOf(err) != failure.Usage {
			t.Errorf("got %v", err)
		}
	}
	must(t, os.RemoveAll(filepath.Join(dir, ocispec.ImageIndexFile)), os.Symlink(filepath.Join(victim, "new"), filepath.Join(dir, ocispec.ImageIndexFile)))
	if _, err := l.Tags(); failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v", err)
	}
	_ = l.Discard()
	if diff := cmp.Diff(before, tree(t, victim)); diff != "" {
		t.Errorf("elsewhere (-before +after):\n%s", diff)
	}
}

// A directory that is used for something else is refused, whoever named it.
func TestAnotherDirectoryInTheUsualPlace(t *testing.T) {
	project := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(project, "dist/x"), 0o755), os.WriteFile(filepath.Join(project, "dist/x/app.js"), nil, 0o644))
	_, err := lay.OpenAt(t.Context(), beneath.Place{Typed: project, Below: "dist/x"})
	if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), `contains "app.js" and is not a layout`) {
		t.Errorf("got %v", err)
	}
	must(t, os.RemoveAll(filepath.Join(project, "dist/x")), os.WriteFile(filepath.Join(project, "dist/x"), nil, 0o644))
	_, err = lay.OpenAt(t.Context(), beneath.Place{Typed: project, Below: "dist/x"})
	if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "is not a directory") {
		t.Errorf("got %v", err)
	}
}
