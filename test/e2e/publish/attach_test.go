package publish

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	spdxjson "github.com/spdx/tools-golang/json"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// Lock and SBOM are attached to an image, whose digest they don't change. The SBOM has
// everything that dpkg, uv and the models record in the built image.
func TestRealAttachments(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	want := u.Digest(t)
	registry := testworld.NewRegistry(t, testworld.RegistryOptions{})
	name := registry.Host + "/faceblend:1"
	u.Build(t, dir, "-t", name, "-o", "type=oci", "-o", "type=image,push=true,registry.insecure=true", "--attach", "lock,sbom")
	if got := u.Digest(t); got != want {
		t.Errorf("the image has another digest with attachments: %s, want %s", got, want)
	}
	if pushed, err := crane.Digest(name, crane.Insecure); err != nil || pushed != want.String() {
		t.Errorf("the pushed image has digest %s, want %s; %v", pushed, want, err)
	}
	layers, err := os.ReadFile(filepath.Join(dir, "image.lock"))
	if err != nil {
		t.Fatal(err)
	}
	registry.Forget()
	for _, place := range []string{name, "dist/faceblend", "dist/faceblend:production"} {
		r := u.Run(t, "inspect", "--insecure-registry", "--document", "lock", place)
		if r.Code != 0 || r.Stdout != string(layers) {
			t.Errorf("the lock at %s: exit code %d, %d bytes\n%s", place, r.Code, len(r.Stdout), r.Stderr)
		}
		if shown := u.Build(t, "inspect", "--insecure-registry", place); !strings.Contains(shown.Stdout, want.String()) ||
			strings.Count(shown.Stdout, "attached") != 3 || !strings.Contains(shown.Stdout, "python3 /app/handler.py") {
			t.Errorf("%s is reported as\n%s", place, shown.Stdout)
		}
	}
	_, image := u.Image(t, "production")
	for _, layer := range image.Manifest.Layers {
		if n := registry.Calls("/v2/faceblend/blobs/" + layer.Digest.String()); n > 0 {
			t.Errorf("layer %s was requested %d times", layer.Digest, n)
		}
	}
	u.Fails(t, 3, []string{"has no lock attached", "--attach"}, "inspect", "--document", "lock", "--insecure-registry", plain(t, u, dir, registry))
	u.Fails(t, 2, []string{"no such image"}, "inspect", "--insecure-registry", registry.Host+"/faceblend:none")
	u.Fails(t, 2, []string{"no output is a registry or an OCI layout"}, dir, "-o", "type=docker,dest=x.tar", "--attach", "lock")
	u.Fails(t, 2, []string{`attachment "everything" is not one of lock, sbom`}, dir, "--attach", "everything")

	held := billed(t, u.Build(t, "inspect", "--document", "spdx", "dist/faceblend").Stdout)
	for _, missing := range notIn(held, contents(t, u)) {
		t.Errorf("the SBOM lacks %s", missing)
	}
}

// plain pushes the image without attachments.
func plain(t *testing.T, u *e2etest.User, dir string, r *testworld.Registry) string {
	t.Helper()
	name := r.Host + "/plain:1"
	u.Build(t, dir, "-t", name, "--push", "--insecure-registry")
	return name
}

// billed returns the names with versions, and the paths, of an SPDX document.
func billed(t *testing.T, text string) map[string]bool {
	t.Helper()
	doc, err := spdxjson.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, p := range doc.Packages {
		held[p.PackageName+" "+p.PackageVersion], held[p.PackageFileName] = true, true
	}
	return held
}

// contents returns what the image itself records: the packages of dpkg's status, the
// distributions with a RECORD, and the files of models.
func contents(t *testing.T, u *e2etest.User) (list []string) {
	t.Helper()
	l, image := u.Image(t, "production")
	status := e2etest.Read(t, l, image, "var/lib/dpkg/status")
	for stanza := range strings.SplitSeq(status, "\n\n") {
		name, version := "", ""
		for line := range strings.SplitSeq(stanza, "\n") {
			if value, ok := strings.CutPrefix(line, "Package: "); ok {
				name = value
			}
			if value, ok := strings.CutPrefix(line, "Version: "); ok {
				version = value
			}
		}
		if name != "" {
			list = append(list, name+" "+version)
		}
	}
	if len(list) < 50 {
		t.Fatalf("dpkg's status has only %d packages", len(list))
	}
	for p := range e2etest.Files(t, l, image) {
		if strings.HasPrefix(p, "/models/faceblend/") {
			list = append(list, p)
		}
		directory := path.Base(path.Dir(p))
		if path.Base(p) == "RECORD" && strings.HasSuffix(directory, ".dist-info") {
			name, version, _ := strings.Cut(strings.TrimSuffix(directory, ".dist-info"), "-")
			list = append(list, lock.NormalName(name)+" "+version)
		}
	}
	for _, some := range []string{"faceblend-native ", "/models/faceblend/"} {
		if !slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, some) }) {
			t.Fatalf("the image has no %s: this test looks at the wrong thing", some)
		}
	}
	return list
}

func notIn(held map[string]bool, want []string) (missing []string) {
	for _, name := range want {
		if !held[name] {
			missing = append(missing, name)
		}
	}
	return missing
}
