package sources

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/vendorstore"
)

// vendorable makes a project with a source of each kind, which no engine has yet, and returns
// the commit of a submodule, which has a submodule itself.
func vendorable(t *testing.T, u *e2etest.User, w *testworld.World) (dir, submodule string) {
	t.Helper()
	now := "# " + time.Now().String()
	x := w.Index(testworld.IndexOptions{JSON: true}, testworld.Backend(),
		testworld.Wheel{Name: "alpha", Files: map[string]string{"alpha/__init__.py": now}},
		testworld.Sdist{Name: "beta", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend", Files: map[string]string{"beta.py": now}},
	)
	tree, required := w.Git("tree", map[string]string{"a.txt": now, "bin/run": "#!/bin/sh\n"}), w.Git("required", map[string]string{
		"pyproject.toml": "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n",
		"PKG-INFO":       "Metadata-Version: 2.1\nName: required\nVersion: 1.0\n", "required.py": now,
	})
	below, inner := w.Git("below", map[string]string{"b.txt": now}), w.Git("inner", map[string]string{"i.txt": now, "bin/run": "#!/bin/sh\n"})
	inner.Submodule("deep/below", below)
	relative := *inner
	relative.URL = "../inner.git"
	tree.Submodule("sub", &relative)
	required.Submodule("data", inner)
	hub := w.Hub(testworld.HubOptions{})
	seed := rand.Uint64()
	hub.Repo("a/b", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"model.bin": testworld.Large(testworld.Generated(seed, 3_000_000)), "config.json": testworld.Small(fmt.Sprint(seed))})
	u.Env = append(u.Env, "HF_ENDPOINT="+hub.Endpoint)
	return e2etest.PythonProject(t, fmt.Sprintf(`[builder]
packages = ["git", "python3-build", "python3-installer", "python3-packaging", "python3-setuptools", "python3-wheel"]
[python]
requirements = ["requirements.txt"]
[[git]]
url = %q
commit = %q
path = "/opt/tree"
[[model]]
from = "hf://a/b@main"
path = "/models/b"
`, tree.URL, tree.Commit), map[string]string{"requirements.txt": "--index-url " + x.URL + "\nalpha\nbeta\nrequired @ git+" + required.URL + "\n"}), inner.Commit
}

// bundleOf returns the path of a commit's bundle in a directory.
func bundleOf(t *testing.T, dir, commit string) string {
	t.Helper()
	s, err := vendorstore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, _, err := s.Find(t.Context(), []vendorstore.Source{{Commit: commit}})
	if err != nil || found[commit] == "" {
		t.Fatalf("there is no bundle of %s: %v", commit, err)
	}
	return blobOf(dir, found[commit].Encoded())
}

// blobOf returns the path of a lock's file in a directory.
func blobOf(dir, sum string) string { return filepath.Join(dir, "blobs", "sha256", sum) }

// Vendored sources are all that an image needs: it is built without the network, with all
// servers gone. Missing or altered ones are reported, and fetched again.
func TestRealVendored(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	dir, submodule := vendorable(t, u, w)
	store := filepath.Join(t.TempDir(), "vendored")
	u.Fails(t, 3, []string{"image.lock does not exist"}, "vendor", store, "--check", "--spec", dir)
	u.Build(t, "lock", dir)
	u.Fails(t, 2, []string{"holds no vendored sources", "hint: \"build vendor "}, "--mirror", store, dir)
	u.Build(t, "vendor", store, "--spec", dir)
	u.Build(t, "vendor", store, "--spec", dir, "--check")
	locked := e2etest.ReadLock(t, dir)
	alpha := e2etest.Find(t, locked, "alpha")
	blob := blobOf(store, alpha.SHA256)
	whole, err := os.ReadFile(blob)
	if err != nil || digest.FromBytes(whole).Encoded() != alpha.SHA256 {
		t.Fatalf("alpha is vendored as something else: %v", err)
	}

	if err = os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	u.Fails(t, 3, []string{alpha.File + " is missing", "hint: run \"build vendor "}, "vendor", store, "--spec", dir, "--check")
	u.Fails(t, 3, []string{"fetch " + alpha.File + ": the engine doesn't have it", alpha.File + " is missing", "hint: run \"build vendor "}, "--mirror", store, "--offline", dir)
	u.Build(t, "vendor", store, "--spec", dir)
	if err = os.Remove(blob); err != nil { // it is read-only
		t.Fatal(err)
	}
	altered := append([]byte("X"), whole[1:]...)
	e2etest.Write(t, blob, altered)
	if err = os.Remove(blobOf(store, locked.Models[0].Layers[0].Digest.Encoded())); err != nil {
		t.Fatal(err)
	}
	u.Fails(t, 3, []string{alpha.File + " is altered", "model a/b is missing"}, "vendor", store, "--spec", dir, "--check")
	u.Fails(t, 3, []string{alpha.File + " is altered", "hint: run \"build vendor "}, "--mirror", store, "--offline", dir)
	u.HasNoImage(t)
	u.Build(t, "vendor", store, "--spec", dir)

	if err = os.Remove(bundleOf(t, store, submodule)); err != nil {
		t.Fatal(err)
	}
	u.Fails(t, 3, []string{"submodule " + submodule[:12] + " of tree ", "submodule " + submodule[:12] + " of required ", "is missing"}, "vendor", store, "--spec", dir, "--check")
	u.Fails(t, 3, []string{"its submodule \"sub\" is missing in ", "hint: run \"build vendor "}, "--mirror", store, "--offline", dir)
	u.Build(t, "vendor", store, "--spec", dir)
	u.Build(t, "vendor", store, "--spec", dir, "--check")

	u.Fails(t, 3, []string{"the engine doesn't have it, and the network may not be used", "hint: run \"build vendor DEST\""}, "--offline", dir)
	w.Stop()
	u.Build(t, "--mirror", store, "--offline", dir)
	offline := u.Digest(t)
	l, image := u.Image(t, "production")
	files := e2etest.Files(t, l, image)
	for _, path := range []string{"/opt/tree/a.txt", "/opt/tree/sub/i.txt", "/opt/tree/sub/deep/below/b.txt"} {
		if _, ok := files[path]; !ok {
			t.Errorf("the image has no %s", path)
		}
	}
	u.Build(t, "--offline", "--mirror", store, dir)
	if again := u.Digest(t); again != offline {
		t.Errorf("again it is %s, not %s", again, offline)
	}
}

// A tree can't have an engine ask a server that nothing of the project names, neither to vendor
// it nor to build.
func TestRealSubmoduleOfAStrangeHost(t *testing.T) {
	t.Parallel()
	u, now := e2etest.NewUser(t), "# "+time.Now().String()
	here, there := testworld.New(t), testworld.New(t)
	tree, middle, strange := here.Git("tree", map[string]string{"a.txt": now}), here.Git("middle", map[string]string{"m.txt": now}), there.Git("strange", map[string]string{"b.txt": now})
	middle.Submodule("below", strange)
	tree.Submodule("sub", middle)
	dir, store := e2etest.Small(t), filepath.Join(t.TempDir(), "vendored")
	spec := filepath.Join(dir, "image.toml")
	add := func(g *testworld.Git, path string) {
		text, err := os.ReadFile(spec)
		if err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, spec, fmt.Appendf(text, "[[git]]\nurl = %q\ncommit = %q\npath = %q\n", g.URL, g.Commit, path))
	}
	add(tree, "/opt/tree")
	refusal := []string{"looking for the submodules of tree ", "its submodule \"below\" is at " + strange.URL, "hint: if that host may be asked"}
	u.Fails(t, 2, refusal, dir)
	u.Fails(t, 2, refusal, "vendor", store, "--spec", dir)
	u.HasNoImage(t)
	if _, err := os.Stat(store); err == nil {
		t.Error("something is vendored")
	}
	if n := there.Requests("/**"); n != 0 {
		t.Errorf("the strange host was asked %d times", n)
	}
	add(strange, "/opt/strange")
	u.Build(t, dir)
	l, image := u.Image(t, "production")
	if _, ok := e2etest.Files(t, l, image)["/opt/tree/sub/below/b.txt"]; !ok {
		t.Error("the image has no submodule of the named host")
	}
	u.Build(t, "vendor", store, "--spec", dir)
	u.Build(t, "vendor", store, "--spec", dir, "--check")
}

// A machine with nothing but the vendored sources makes the same image as one with a network.
func TestRealVendoredElsewhere(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "vendor" {
		t.Skip("LAMINA_REAL=vendor builds an image on an engine that has nothing")
	}
	u, w := e2etest.NewUser(t), testworld.New(t)
	dir, _ := vendorable(t, u, w)
	store := filepath.Join(t.TempDir(), "vendored")
	u.Build(t, dir)
	u.Build(t, "vendor", store, "--spec", dir)
	registry := "oci://" + testworld.NewRegistry(t, testworld.RegistryOptions{}).Host + "/team/sources:1"
	u.Build(t, "vendor", registry, "--spec", dir, "--no-models")
	u.Build(t, "vendor", registry, "--spec", dir, "--no-models", "--check")
	w.Stop()
	there := e2etest.UserOf(t, e2etest.FreshEngine(t))
	there.Cache = t.TempDir()
	there.Build(t, "--mirror", store, "--offline", "--attach", "lock", dir)
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("it is %s from vendored sources, %s from the network", got, want)
	}
	there.Build(t, "verify", "--mirror", store, "--offline", "dist/faceblend", dir)
	there.Build(t, "--mirror", registry, "--models", store, "--no-cache", "--smoke", "off", dir)
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("it is %s from a registry, %s from the network", got, want)
	}
}
