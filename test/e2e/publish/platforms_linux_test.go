package publish

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// twoPlatforms makes an image for two platforms, with tests that run on each, and weights.
func twoPlatforms(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "two")
	for name, text := range map[string]string{
		"image.toml": `name = "faceblend"
platform = ["linux/amd64", "linux/arm64"]
[debian]
packages = ["python3-minimal"]
[app]
source = "app"
entrypoint = ["python3", "/app/main.py"]
[[model]]
from = "dir:weights"
path = "/model"
[smoke]
run = [["python3", "/app/main.py"]]
`,
		"app/main.py":   "import os\nprint('runs on', os.uname().machine)\n",
		"weights/w.bin": strings.Repeat("w", 1<<20),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, path, []byte(text))
	}
	return dir
}

// If an engine runs only one platform, the error names the one that can't be built, and
// how it can, before anything is fetched or written.
func TestRealPlatformThatNoEngineRuns(t *testing.T) {
	u, dir := e2etest.NewUser(t), twoPlatforms(t)
	u.Fails(t, 4, []string{"linux/arm64: ", "it cannot run linux/arm64, only [linux/amd64", "--addr linux/arm64=tcp://", "binfmt"}, dir, "--debian-mirror", "http://127.0.0.1:1")
	u.Fails(t, 4, []string{"cannot run linux/arm64"}, "lock", dir, "--debian-mirror", "http://127.0.0.1:1")
	if _, err := os.Stat(filepath.Join(dir, "image.lock")); err == nil {
		t.Error("there is a lock")
	}
	u.HasNoImage(t)
}

// A build on two engines, one of which emulates its platform, pushes and keeps an index
// of images that each engine reproduces, and that share equal layers.
func TestRealPlatforms(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "platforms" {
		t.Skip("LAMINA_REAL=platforms builds an image on an emulated processor, for half an hour")
	}
	u, dir := e2etest.NewUser(t), twoPlatforms(t)
	there := emulated(t, u)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	addr := []string{"--addr", "linux/arm64=" + there.Addr}
	said := u.Build(t, append(addr, dir, "-o", "type=oci", "-o", "type=image,push=true,name="+r.Host+"/two:1", "--attach", "lock,sbom", "--progress", "plain")...)
	for _, machine := range []string{"x86_64", "aarch64"} {
		if !strings.Contains(said.Stderr, "runs on "+machine) { // engines that have it cached don't repeat it
			t.Logf("no test printed that it runs on %s", machine)
		}
	}
	var index ocispec.Index
	top := r.Manifest("two", "1")
	if err := json.Unmarshal(top, &index); err != nil || len(index.Manifests) != 2 {
		t.Fatalf("the tag names %s, %v", top, err)
	}
	l, first := u.Image(t, "production")
	images, err := l.ReadAll(t.Context(), "production")
	if err != nil || len(images) != 2 {
		t.Fatalf("the layout has %v, %v", images, err)
	}
	for i, d := range index.Manifests {
		if p := *d.Platform; p.OS+"/"+p.Architecture != []string{"linux/amd64", "linux/arm64"}[i] || images[i].Desc.Digest != d.Digest || images[i].Config.Architecture != p.Architecture {
			t.Errorf("image %d is %v in the registry, %v in the layout", i, d, images[i].Desc)
		}
		for _, media := range []string{lamina.LockType(), lamina.SPDXType, lamina.CycloneDXType} {
			list, problem := l.Referrers(d.Digest)
			if problem != nil || !slices.ContainsFunc(list, func(d ocispec.Descriptor) bool { return d.ArtifactType == media }) {
				t.Errorf("%s: no %s is attached, %v", d.Digest, media, problem)
			}
		}
	}
	for i, layer := range first.Manifest.Layers {
		if other := images[1].Manifest.Layers[i]; i > 0 && other.Digest != layer.Digest {
			t.Errorf("layer %d differs between platforms: %s, %s", i, layer.Digest, other.Digest)
		}
	}
	inspected := u.Build(t, "inspect", "--json", "dist/faceblend")
	var seen lamina.Inspected
	if err = json.Unmarshal([]byte(inspected.Stdout), &seen); err != nil || len(seen.Further) != 1 || seen.Further[0].Platform != "linux/arm64" || len(seen.Further[0].Attached) != 3 {
		t.Errorf("inspect prints %s, %v", inspected.Stdout, err)
	}
	// Without the other engine, one of them can be built, and is the same.
	u.Build(t, dir, "--platform", "linux/amd64", "-o", "type=oci,dest=alone,tar=false")
	alone := u.Build(t, "inspect", "--json", "alone")
	if !strings.Contains(alone.Stdout, index.Manifests[0].Digest.String()) {
		t.Errorf("alone it is %s", alone.Stdout)
	}
	if v := u.Run(t, append(addr, "verify", "dist/faceblend", dir)...); v.Code != 0 || strings.Count(v.Stdout, "the same, rebuilt") != 3 { // the index and both images
		t.Errorf("verify: exit code %d\n%s\n%s", v.Code, v.Stdout, e2etest.Tail(v.Stderr))
	}
	// Bare files are laid out as by docker buildx.
	u.Build(t, append(addr, dir, "-o", "files")...)
	for arch, machine := range map[string]byte{"amd64": 62, "arm64": 183} {
		program, err := os.ReadFile(filepath.Join(u.Dir, "files", "linux_"+arch, "usr", "bin", "python3.11"))
		if err != nil || program[18] != machine { // e_machine of ELF
			t.Errorf("%s: %v", arch, err)
		}
	}
	if got := digest.FromBytes(top); l.Dir() == "" || !strings.Contains(said.Stdout, got.String()) {
		t.Errorf("the summary does not have %s:\n%s", got, said.Stdout)
	}
}

// emulated starts an engine in a user namespace with its own emulators: the machine's
// don't change.
func emulated(t *testing.T, u *e2etest.User) *enginetest.Remote {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "emulator")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(dir, "image.toml"), []byte("name = \"emulator\"\n[debian]\npackages = [\"qemu-user-static\"]\n"))
	u.Build(t, dir, "-o", "emulator", "--smoke", "off")
	qemu, mount := filepath.Join(u.Dir, "emulator", "usr", "bin", "qemu-aarch64-static"), t.TempDir()
	// The interpreter for AArch64: magic, mask, and a file that is opened now (F).
	rule := `:aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:` + qemu + ":F"
	// A program that starts before its user is mapped has no capabilities, a later one has all.
	// Mapping one user fewer than exist tells runc that it is in a namespace.
	script := fmt.Sprintf(`here=$(readlink /proc/self/ns/user); own=$$
(while [ "$(readlink /proc/$own/ns/user)" = "$here" ]; do sleep 0.05; done
for map in uid_map gid_map; do echo 0 0 4294967294 >/proc/$own/$map; done) &
exec unshare --user --mount sh -c 'until grep -q . /proc/self/gid_map; do sleep 0.05; done
exec sh -c '\''mount -t binfmt_misc binfmt_misc "$0" && printf %%s "$1" >"$0/register" && shift && exec "$@"'\'' "$@"' sh %s '%s' "$@"`, mount, rule)
	return enginetest.StartRemote(t, enginetest.FreePort(t, "127.0.0.1"), []string{"sh", "-c", script, "sh"}, nil)
}
