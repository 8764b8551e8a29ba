package layers_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"lamina.build/internal/layers"
	"lamina.build/llb"
)

func pkgTree(t testing.TB) string {
	t.Helper()
	return tree(t, map[string]string{
		"handler.py":       "print()\n",
		"run":              "#!/bin/sh\n",
		"lib/a.py":         "a",
		"lib.py":           "after lib/, though . sorts before /",
		"lib/empty/":       "",
		"current":          "-> lib/a.py",
		"abs":              "-> /app/run",
		"nothing-there":    "-> lib/missing",
		"lib/\u00fcber.py": "",
	})
}

func TestTree(t *testing.T) {
	s, _ := newStore(t)
	o := layers.TreeOptions{Name: "app", FS: rooted(t, pkgTree(t)).FS(), Target: "/srv/app", Exclude: []string{"**/über.py", "abs"}}
	l, err := layers.Tree(t.Context(), s, o)
	must(t, err)
	want := []string{
		"drwxr-xr-x srv/",
		"drwxr-xr-x srv/app/",
		"Lrwxrwxrwx srv/app/current -> lib/a.py",
		"-rw-r--r-- srv/app/handler.py",
		"drwxr-xr-x srv/app/lib/",
		"-rw-r--r-- srv/app/lib/a.py",
		"drwxr-xr-x srv/app/lib/empty/",
		"-rw-r--r-- srv/app/lib.py",
		"Lrwxrwxrwx srv/app/nothing-there -> lib/missing",
		"-rwxr-xr-x srv/app/run",
	}
	if diff := cmp.Diff(want, headers(t, s, l)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	wantPaths := []string{
		"/srv/", "/srv/app/", "/srv/app/current", "/srv/app/handler.py", "/srv/app/lib.py", "/srv/app/lib/",
		"/srv/app/lib/a.py", "/srv/app/lib/empty/", "/srv/app/nothing-there", "/srv/app/run",
	}
	if diff := cmp.Diff(wantPaths, l.Paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

// Accidental properties of a checkout make no difference.
func TestTreeDigestIsOfNamesAndContentsAlone(t *testing.T) {
	s, dir := newStore(t)
	packed := func(src string) llb.Layer {
		l, err := layers.Tree(t.Context(), s, layers.TreeOptions{Name: "app", FS: rooted(t, src).FS(), Target: "/app"})
		must(t, err)
		return l
	}
	want := packed(pkgTree(t))
	blobs := stored(t, dir)

	again := pkgTree(t)
	must(t, filepath.WalkDir(again, func(p string, d fs.DirEntry, _ error) error {
		if d.Type() == fs.ModeSymlink {
			return nil
		}
		fi, err := d.Info()
		must(t, err, os.Chmod(p, fi.Mode()&0o700), os.Chtimes(p, time.Now(), time.Unix(1e9, 7)))
		if os.Geteuid() == 0 {
			must(t, os.Lchown(p, 1234, 567))
		}
		return nil
	}))
	if diff := cmp.Diff(want, packed(again)); diff != "" {
		t.Errorf("another mode, time and owner (-want +got):\n%s", diff)
	}
	if now := stored(t, dir); now != blobs {
		t.Errorf("packing again wrote: %d files in the store, then %d", blobs, now)
	}
	must(t, os.Chmod(filepath.Join(again, "handler.py"), 0o645))
	if packed(again).DiffID != want.DiffID {
		t.Error("the executable bit of others makes a difference")
	}
	must(t, os.Chmod(filepath.Join(again, "handler.py"), 0o755))
	if packed(again).DiffID == want.DiffID {
		t.Error("the executable bit makes no difference")
	}
}

func TestTreeOfAnotherPlatform(t *testing.T) {
	s, _ := newStore(t)
	o := layers.TreeOptions{Name: "app", FS: fstest.MapFS{"x": {}}, Target: "/app"}
	amd, err := layers.Tree(t.Context(), s, o)
	must(t, err)
	o.Platform.OS, o.Platform.Architecture = "linux", "arm64"
	arm, err := layers.Tree(t.Context(), s, o)
	must(t, err)
	if amd.Image == arm.Image || amd.Blob.Digest != arm.Blob.Digest {
		t.Error("want one layer in two images")
	}
}

func TestTreeIgnore(t *testing.T) {
	files := map[string]string{
		".git/HEAD": "", "a.py": "", "a.pyc": "", "lib/b.pyc": "", "lib/b.py": "", "docs/x.md": "", "docs/keep.md": "",
		"docs/deep/keep.md": "", "out/": "", ".dockerignore": "",
	}
	tests := []struct {
		name             string
		include, exclude []string
		ignore           string
		want             string
	}{
		{"a double star crosses directories", nil, nil, ".git\n**/*.pyc\ndocs\nout", ".dockerignore a.py lib/ lib/b.py"},
		{"a star does not", nil, nil, "*.pyc\n.git\n.d*\ndocs\nout", "a.py lib/ lib/b.py lib/b.pyc"},
		{"an exception brings its directory back", nil, nil, "*\n!docs/keep.md", "docs/ docs/keep.md"},
		{"the last rule wins", nil, nil, "*\n!docs\ndocs/**/keep.md", "docs/ docs/deep/ docs/x.md"},
		{"comments, blanks, slashes", nil, nil, "# all\n\n/*\n !/a.py ", "a.py"},
		{"include", []string{"**/*.py"}, nil, "", "a.py lib/ lib/b.py"},
		{"include a directory but for some", []string{"docs"}, []string{"docs/deep"}, "", "docs/ docs/keep.md docs/x.md"},
		{"exclude and ignore do not undo each other", nil, []string{"**", "!docs"}, "docs/*\n!docs/x.md", "docs/ docs/x.md"},
	}
	dir := tree(t, files)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newStore(t)
			l, err := layers.Tree(t.Context(), s, layers.TreeOptions{
				Name: "app", FS: rooted(t, dir).FS(), Target: "/", Include: tt.include, Exclude: tt.exclude, Ignore: []byte(tt.ignore),
			})
			must(t, err)
			want := strings.Fields(strings.ReplaceAll(" "+tt.want, " ", " /"))
			if diff := cmp.Diff(want, l.Paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

// entryProblems collects the paths of all EntryErrors in err.
func entryProblems(err error) (list []string) {
	switch e := err.(type) { //nolint:errorlint // walks the tree of errors itself
	case *layers.EntryError:
		return []string{e.Path}
	case interface{ Unwrap() []error }:
		for _, below := range e.Unwrap() {
			list = append(list, entryProblems(below)...)
		}
	case interface{ Unwrap() error }:
		return entryProblems(e.Unwrap())
	}
	slices.Sort(list)
	return list
}

func TestTreeRefusesAllBadEntriesAtOnce(t *testing.T) {
	dir := tree(t, map[string]string{
		"good":         "",
		"up":           "-> ../secret",
		"etc":          "-> /etc/passwd",
		"near":         "-> /appendix",
		"back":         "-> /app/../etc",
		"sub/back":     "-> /app/../etc",
		"sub/top":      "-> ..",
		"sub/sly":      "-> top/../x",
		"loop":         "-> loop",
		"deep/fine":    "-> ../sub/../good",
		".wh.good":     "",
		"skipped/link": "-> /outside",
	})
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	must(t, err)
	defer l.Close()

	s, store := newStore(t)
	_, err = layers.Tree(t.Context(), s, layers.TreeOptions{
		Name: "app", FS: rooted(t, dir).FS(), Target: "/app", Ignore: []byte("skipped"),
	})
	want := []string{".wh.good", "back", "etc", "fifo", "near", "sock", "sub/back", "sub/sly", "up"}
	if diff := cmp.Diff(want, entryProblems(err)); diff != "" {
		t.Errorf("refused (-want +got):\n%s\n%v", diff, err)
	}
	for _, text := range []string{`packing layer "app"`, `path "fifo": is a named pipe`, `symlink to "../secret" leads out`} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("message lacks %q:\n%v", text, err)
		}
	}
	if n := stored(t, store); n != 0 {
		t.Errorf("%d files were written", n)
	}
	for one := range strings.FieldsSeq("fifo .wh.good up") {
		_, err = layers.Selected(layers.TreeOptions{FS: rooted(t, dir).FS(), Target: "/app", Include: []string{one}})
		if problem, ok := errors.AsType[*layers.EntryError](err); !ok || !strings.Contains(problem.Hint(), "exclude it") {
			t.Errorf("%s: there is no hint to %v", one, err)
		}
	}
}

// unread is a tree whose directories and links can't be read.
type unread struct{ fs.ReadLinkFS }

func (u unread) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "directory" {
		return nil, fs.ErrPermission
	}
	return fs.ReadDir(u.ReadLinkFS, name)
}

func (unread) ReadLink(string) (string, error) { return "", fs.ErrPermission }

func TestTreeThatCanNotBeRead(t *testing.T) {
	for _, files := range []map[string]string{{"directory/file": ""}, {"link": "-> there"}} {
		s, _ := newStore(t)
		_, err := layers.Tree(t.Context(), s, layers.TreeOptions{Name: "app", FS: unread{rooted(t, tree(t, files)).FS().(fs.ReadLinkFS)}, Target: "/app"})
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v: got %v", files, err)
		}
	}
}

// The kernel follows 40 links; a longer chain leads nowhere.
func TestChainsOfLinks(t *testing.T) {
	files, want := map[string]string{"01": "-> ../x", "good": ""}, []string{"01"}
	for n := 2; n <= 42; n++ {
		name := fmt.Sprintf("%02d", n)
		if files[name] = fmt.Sprintf("-> %02d", n-1); n <= 40 {
			want = append(want, name)
		}
	}
	_, err := layers.Selected(layers.TreeOptions{FS: rooted(t, tree(t, files)).FS(), Target: "/app"})
	if diff := cmp.Diff(want, entryProblems(err)); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

// A directory without selected files is not read: a .git may be large.
func TestWhatIsExcludedIsNotRead(t *testing.T) {
	o := layers.TreeOptions{Target: "/app", Exclude: []string{".git"}, Ignore: []byte("cache\n")}
	for _, back := range []string{"", "!cache/keep\n"} {
		read := &reading{FS: rooted(t, tree(t, map[string]string{".git/objects/x": "", "cache/keep": "", "lib/a.py": ""})).FS()}
		o.FS, o.Ignore = read, append(o.Ignore, back...)
		if _, err := layers.Selected(o); err != nil {
			t.Error(err)
		}
		want := []string{".", "lib"}
		if back != "" {
			want = []string{".", "cache", "lib"}
		}
		if diff := cmp.Diff(want, read.directories); diff != "" {
			t.Errorf("with %q: read (-want +got):\n%s", o.Ignore, diff)
		}
	}
}

// reading records the directories that are read.
type reading struct {
	fs.FS

	directories []string
}

func (r *reading) ReadDir(name string) ([]fs.DirEntry, error) {
	r.directories = append(r.directories, name)
	return fs.ReadDir(r.FS, name)
}

func TestTreeProblems(t *testing.T) {
	fsys := fstest.MapFS{"a": {Data: []byte("a")}}
	tests := []struct {
		name string
		o    layers.TreeOptions
		want string
	}{
		{"relative target", layers.TreeOptions{Target: "app"}, "not an absolute clean path"},
		{"target that escapes", layers.TreeOptions{Target: "/app/../../x"}, "not an absolute clean path"},
		{"nothing left", layers.TreeOptions{Target: "/app", Exclude: []string{"*"}}, layers.ErrEmpty.Error()},
		{"bad exclude", layers.TreeOptions{Target: "/app", Exclude: []string{"a["}}, `pattern "a["`},
		{"bad ignore", layers.TreeOptions{Target: "/app", Ignore: []byte("!")}, "ignore file"},
		{"negated include", layers.TreeOptions{Target: "/app", Include: []string{"!a"}}, "only an exclude pattern"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newStore(t)
			tt.o.Name, tt.o.FS = "app", fsys
			if _, err := layers.Tree(t.Context(), s, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// growing is a tree whose file changes after it was searched for keys and hashed.
type growing struct {
	fstest.MapFS
	opened int
	later  []byte
	stop   context.CancelCauseFunc
}

func (g *growing) Open(name string) (fs.File, error) {
	if name == "f" {
		if g.opened++; g.opened == 3 {
			if g.stop != nil {
				g.stop(errors.New("interrupted"))
			}
			g.MapFS["f"] = &fstest.MapFile{Data: g.later}
		}
	}
	return g.MapFS.Open(name)
}

func TestFailureLeavesNothing(t *testing.T) {
	for name, later := range map[string]string{"longer": "before and after", "shorter": "b", "other": "beforf"} {
		t.Run(name, func(t *testing.T) {
			s, dir := newStore(t)
			g := &growing{MapFS: fstest.MapFS{"f": {Data: []byte("before")}}, later: []byte(later)}
			_, err := layers.Tree(t.Context(), s, layers.TreeOptions{Name: "app", FS: g, Target: "/app"})
			if !errors.Is(err, layers.ErrChanged) {
				t.Errorf("got %v, want ErrChanged", err)
			}
			if n := stored(t, dir); n != 0 {
				t.Errorf("%d files are left", n)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		s, dir := newStore(t)
		ctx, stop := context.WithCancelCause(t.Context())
		g := &growing{MapFS: fstest.MapFS{"f": {Data: []byte("before")}}, later: []byte("before"), stop: stop}
		_, err := layers.Tree(ctx, s, layers.TreeOptions{Name: "app", FS: g, Target: "/app"})
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("got %v, want the cause", err)
		}
		if n := stored(t, dir); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}

// A file may vanish between listing its directory and reading its metadata.
func TestATreeThatLosesAFile(t *testing.T) {
	dir := tree(t, map[string]string{"a": "a", "b": "b"})
	_, err := layers.Selected(layers.TreeOptions{FS: losing{rooted(t, dir).FS(), dir}, Target: "/app"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// losing removes the file b as soon as it is listed.
type losing struct {
	fs.FS

	dir string
}

func (l losing) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(l.FS, name)
	return list, errors.Join(err, os.Remove(filepath.Join(l.dir, "b")))
}

// broken is a store that accepts a limited number of blobs.
type broken struct {
	content.Store

	left int
}

var errFull = errors.New("no space left")

func (b *broken) Writer(ctx context.Context, o ...content.WriterOpt) (content.Writer, error) {
	if b.left--; b.left < 0 {
		return nil, errFull
	}
	return b.Store.Writer(ctx, o...)
}

// A layer has its manifest and config, or packing fails.
func TestAStoreThatTakesNoMore(t *testing.T) {
	files := fstest.MapFS{"f": {Data: []byte("x")}}
	for left, want := range []string{`packing layer "`, `wrapping layer "`, `wrapping layer "`} {
		store, _ := newStore(t)
		_, err := layers.Tree(t.Context(), &broken{store, left}, layers.TreeOptions{Name: "app", FS: files, Target: "/app"})
		if !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("a tree, and a store for %d: %v", left, err)
		}
		store, _ = newStore(t)
		_, err = layers.Weights(t.Context(), &broken{store, left}, layers.WeightsOptions{Name: "w", FS: files, Target: "/m"})
		if !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("weights, and a store for %d: %v", left, err)
		}
	}
}

func TestFile(t *testing.T) {
	s, _ := newStore(t)
	l, err := layers.File(t.Context(), s, layers.FileOptions{Name: "busybox", Target: "/bin/busybox", Mode: 0o555, Data: []byte("ELF")})
	must(t, err)
	if diff := cmp.Diff([]string{"drwxr-xr-x bin/", "-rwxr-xr-x bin/busybox"}, headers(t, s, l)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	// The owner's bit counts, as in trees.
	for mode, want := range map[fs.FileMode]string{0o100: "-rwxr-xr-x x", 0o655: "-rw-r--r-- x"} {
		l, err = layers.File(t.Context(), s, layers.FileOptions{Name: "x", Target: "/x", Mode: mode})
		must(t, err)
		if got := headers(t, s, l); len(got) != 1 || got[0] != want {
			t.Errorf("mode %o: got %q", mode, got)
		}
	}
	if _, err := layers.File(t.Context(), s, layers.FileOptions{Name: "x", Target: "/"}); err == nil {
		t.Error("a file at / is accepted")
	}
}

// The store may be used by two builds at once, even for the same tree.
func TestPackingTheSameTreeAtOnce(t *testing.T) {
	dir := t.TempDir()
	data := []byte(strings.Repeat("weights", 1<<18))
	results := make(chan llb.Layer, 4)
	for range 4 {
		go func() {
			s, err := layers.OpenStore(t.Context(), dir, time.Hour)
			if err != nil {
				t.Error(err)
				results <- llb.Layer{}
				return
			}
			defer s.Close()
			l, err := layers.Tree(t.Context(), s, layers.TreeOptions{
				Name: "app", FS: fstest.MapFS{"f": {Data: data}}, Target: "/app", Compression: layers.Uncompressed,
			})
			if err != nil {
				t.Error(err)
			}
			results <- l
		}()
	}
	first := <-results
	for range 3 {
		if diff := cmp.Diff(first, <-results); diff != "" {
			t.Errorf("layers differ:\n%s", diff)
		}
	}
}

func TestOpenStoreDropsWhatIsOld(t *testing.T) {
	dir := t.TempDir()
	put := func(name string) llb.Layer {
		s, err := layers.OpenStore(t.Context(), dir, time.Hour)
		must(t, err)
		defer s.Close()
		l, err := layers.Tree(t.Context(), s, layers.TreeOptions{Name: name, FS: fstest.MapFS{name: {}}, Target: "/app"})
		must(t, err)
		return l
	}
	old, used := put("old"), put("used")
	past := time.Now().Add(-2 * time.Hour)
	must(t, filepath.WalkDir(filepath.Join(dir, "blobs"), func(p string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(p, past, past))
	}))
	now := time.Now()
	must(t, os.Chtimes(filepath.Join(dir, "blobs/sha256", used.Blob.Digest.Encoded()), now, now))
	s, err := layers.OpenStore(t.Context(), dir, time.Hour)
	must(t, err)
	defer s.Close()
	if _, err := s.Info(t.Context(), old.Blob.Digest); err == nil {
		t.Error("an old blob was kept")
	}
	if _, err := s.Info(t.Context(), used.Blob.Digest); err != nil {
		t.Error("a used blob was removed")
	}
}
