package vendorstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/vendorstore"
)

// world has files by name, and records the requests.
type world struct {
	mu    sync.Mutex
	files map[string]string
	asked []string
}

func (w *world) fetch(_ context.Context, s vendorstore.Source, to io.Writer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, s.Name)
	text, ok := w.files[s.Name]
	if !ok {
		return errors.New("no such file")
	}
	_, err := io.WriteString(to, text)
	return err
}

func file(name, content string) vendorstore.Source {
	return vendorstore.Source{Name: name, Digest: digest.FromString(content), Size: int64(len(content))}
}

func tree(name string) vendorstore.Source {
	return vendorstore.Source{Name: name, Commit: strings.Repeat("0", 40-len(name)) + name}
}

func fill(t *testing.T, dir, tag string, w *world, sources ...vendorstore.Source) (fetched int, err error) {
	t.Helper()
	s, err := vendorstore.Make(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	w.asked = nil
	fetched, err = s.Fill(t.Context(), tag, sources, w.fetch)
	return fetched, errors.Join(err, s.Close())
}

func check(t *testing.T, dir string, sources ...vendorstore.Source) string {
	t.Helper()
	s, err := vendorstore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	problems, err := s.Check(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(fmt.Sprint(errors.Join(problems...)), dir, "DIR")
}

func blob(dir, content string) string {
	return filepath.Join(dir, "blobs", "sha256", digest.FromString(content).Encoded())
}

// What was fetched is kept, what is missing is named, and the next run fetches only that.
func TestFillGoesOn(t *testing.T) {
	dir, w := t.TempDir(), &world{files: map[string]string{"a.deb": "a", "b.whl": "other", "tree": "bundle"}}
	sources := []vendorstore.Source{file("a.deb", "a"), file("b.whl", "right"), file("c.whl", "c"), tree("tree")}
	_, err := fill(t, dir, "p", w, sources...)
	want := fmt.Sprintf("fetching b.whl: its sha256 is %s, not %s as in the lock\nfetching c.whl: no such file", digest.FromString("other").Encoded(), digest.FromString("right").Encoded())
	if err == nil || err.Error() != want {
		t.Errorf("it ends with\n%v, want\n%s", err, want)
	}
	if got := check(t, dir, sources...); got != "b.whl is missing\nc.whl is missing\ntree is missing" { // a tree that no list names is unusable
		t.Errorf("it lacks:\n%s", got)
	}
	w.files["b.whl"], w.files["c.whl"] = "right", "cc"
	if _, err = fill(t, dir, "p", w, sources...); err == nil || err.Error() != "fetching c.whl: it has 2 bytes, not 1 as in the lock" {
		t.Errorf("it ends with %v", err)
	}
	w.files["c.whl"] = "c"
	if n, err := fill(t, dir, "p", w, sources...); n != 2 || err != nil || len(w.asked) != 2 {
		t.Errorf("%d were fetched of %q, %v", n, w.asked, err)
	}
	if n, err := fill(t, dir, "p", w, sources...); n != 0 || err != nil || len(w.asked) != 0 {
		t.Errorf("the next run fetched %d of %q, %v", n, w.asked, err)
	}
	if got := check(t, dir, sources...); got != "<nil>" {
		t.Errorf("it lacks:\n%s", got)
	}
}

// An altered file is found and repaired.
func TestAlteredFiles(t *testing.T) {
	dir, w := t.TempDir(), &world{files: map[string]string{"a.deb": "a", "b.whl": "b", "tree": "bundle"}}
	sources := []vendorstore.Source{file("a.deb", "a"), file("b.whl", "b"), tree("tree")}
	if _, err := fill(t, dir, "p", w, sources...); err != nil {
		t.Fatal(err)
	}
	for content, altered := range map[string]string{"a": "x", "bundle": "bundlE"} {
		if err := errors.Join(os.Remove(blob(dir, content)), os.WriteFile(blob(dir, content), []byte(altered), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(blob(dir, "b")); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("a.deb is altered: the sha256 of %s is %s\nb.whl is missing\ntree is altered: the sha256 of %s is %s",
		blob("DIR", "a"), digest.FromString("x").Encoded(), blob("DIR", "bundle"), digest.FromString("bundlE").Encoded())
	if diff := cmp.Diff(want, check(t, dir, sources...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n, err := fill(t, dir, "p", w, sources...); n != 3 || err != nil {
		t.Errorf("%d were fetched, %v", n, err)
	}
	if got := check(t, dir, sources...); got != "<nil>" {
		t.Errorf("it lacks:\n%s", got)
	}
}

// Projects share a directory: a file is kept as long as any project lists it.
func TestProjectsShareADirectory(t *testing.T) {
	dir, w := t.TempDir(), &world{files: map[string]string{"a.deb": "a", "b.deb": "b", "c.deb": "c", "one": "1", "two": "2"}}
	a, b, c := file("a.deb", "a"), file("b.deb", "b"), file("c.deb", "c")
	for tag, sources := range map[string][]vendorstore.Source{"one": {a, b, tree("one")}, "two": {b, c, tree("two")}} {
		if _, err := fill(t, dir, tag, w, sources...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := fill(t, dir, "two", w, c); err != nil {
		t.Fatal(err)
	}
	if _, err := fill(t, dir, "one", w, c, tree("one")); err != nil {
		t.Fatal(err)
	}
	s, err := vendorstore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, missing, err := s.Find(t.Context(), []vendorstore.Source{a, b, c, tree("one"), tree("two")})
	want := map[string]digest.Digest{c.Key(): c.Digest, tree("one").Commit: digest.FromString("1")}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("it has (-want +got), %v:\n%s", err, diff)
	}
	if diff := cmp.Diff([]vendorstore.Source{a, b, tree("two")}, missing); diff != "" {
		t.Errorf("missing are (-want +got):\n%s", diff)
	}
}

// A registry gets each file once, complete or not at all; its tag is all that a reader needs.
func TestRegistries(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	reference := r.Host + "/team/sources:1"
	w := &world{files: map[string]string{"a.deb": "a", "b.whl": "other", "tree": "bundle"}}
	sources := []vendorstore.Source{file("a.deb", "a"), file("b.whl", "right"), tree("tree")}
	if _, err := vendorstore.OpenRegistry(t.Context(), reference, false, registry.Options{}); err == nil || failure.KindOf(err) != failure.Usage ||
		!strings.Contains(err.Error(), "holds no vendored sources") {
		t.Errorf("an empty store opens: %v", err)
	}
	open := func() *vendorstore.Store {
		s, err := vendorstore.OpenRegistry(t.Context(), reference, true, registry.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := open().Fill(t.Context(), "p", sources, w.fetch); err == nil || !strings.HasPrefix(err.Error(), "fetching b.whl: its ") || strings.Contains(err.Error(), "upload") {
		t.Errorf("it ends with %v", err)
	}
	w.files["b.whl"], w.asked = "right", nil
	if n, err := open().Fill(t.Context(), "p", sources, w.fetch); n != 2 || err != nil || slices.Contains(w.asked, "a.deb") {
		t.Errorf("%d were fetched of %q, %v", n, w.asked, err)
	}
	r.Forget()
	if _, err := vendorstore.OpenRegistry(t.Context(), reference, false, registry.Options{}); err != nil || r.Requests("/v2/team/sources/manifests/**") != 1 {
		t.Errorf("its list is read %d times, %v", r.Requests("/v2/team/sources/manifests/**"), err)
	}
	s := open()
	w.asked = nil
	if n, err := s.Fill(t.Context(), "p", sources, w.fetch); n != 0 || err != nil || len(w.asked) != 0 {
		t.Errorf("the next run fetched %d of %q, %v", n, w.asked, err)
	}
	if problems, err := s.Check(t.Context(), append(sources, file("c.deb", "c"), tree("other"))); fmt.Sprint(problems) != "[c.deb is missing other is missing]" || err != nil {
		t.Errorf("it lacks %v, %v", problems, err)
	}
	if got, want := s.Identifier(sources[0].Digest), "docker-image+blob://"+r.Host+"/team/sources@"+sources[0].Digest.String(); got != want {
		t.Errorf("an engine is sent to %s, want %s", got, want)
	}
	body, err := s.Blob(t.Context(), digest.FromString("bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if string(text) != "bundle" || err != nil {
		t.Errorf("the bundle is %q, %v", text, err)
	}
	if _, err = vendorstore.OpenRegistry(t.Context(), r.Host+"/team/sources@"+digest.FromString("x").String(), false, registry.Options{}); failure.KindOf(err) != failure.Usage {
		t.Errorf("a digest is accepted as a tag: %v", err)
	}
}

// An unreachable network is waited for once, and not by each of a thousand files.
func TestUnreachableEndsAll(t *testing.T) {
	s, err := vendorstore.Make(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var sources []vendorstore.Source
	for n := range 1000 {
		sources = append(sources, file(fmt.Sprint(n), fmt.Sprint(n)))
	}
	w := &world{}
	_, err = s.Fill(t.Context(), "p", sources, func(ctx context.Context, s vendorstore.Source, to io.Writer) error {
		_ = w.fetch(ctx, s, to)
		return failure.New(failure.Transient, errors.New("the network is away"))
	})
	if failure.KindOf(err) != failure.Transient || len(w.asked) > 20 {
		t.Errorf("%d were requested, %v", len(w.asked), err)
	}
}
