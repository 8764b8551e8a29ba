package peers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/indextest"
	"lamina.build/internal/test/sigstoretest"
	"lamina.build/internal/test/testworld"
	"lamina.build/output"
)

func gated(t *testing.T) {
	t.Helper()
	if os.Getenv("LAMINA_REAL") != "peers" {
		t.Skip("LAMINA_REAL=peers compiles buildx, cosign, oras, syft and trivy")
	}
}

// inBoth runs a test with a registry that has the API for referrers and with one that has none.
func inBoth(t *testing.T, test func(*testing.T, *testworld.Registry)) {
	t.Helper()
	for what, o := range map[string]testworld.RegistryOptions{"API": {Referrers: true}, "tags": {}} {
		t.Run(what, func(t *testing.T) { test(t, testworld.NewRegistry(t, o)) })
	}
}

// publish pushes examples/faceblend with all that can be attached without a signature, and
// returns its name and the directory of the project.
func publish(t *testing.T, r *testworld.Registry) (u *e2etest.User, name, dir string) {
	t.Helper()
	u, dir = e2etest.NewUser(t), e2etest.Example(t)
	name = r.Host + "/acme/faceblend:1"
	u.Build(t, dir, "-t", name, "-o", "type=oci", "-o", "type=image,push=true,registry.insecure=true", "--attach", "lock,sbom,provenance")
	return u, name, dir
}

// cosign verifies what Lamina has signed, with a key that cosign has made and for an identity.
func TestRealCosign(t *testing.T) {
	gated(t)
	c := newProgram(t, "cosign")
	c.must(t, "generate-key-pair")
	c.must(t, "generate-key-pair", "--output-key-prefix", "other")
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	s := sigstoretest.New(t, "ci@example.org", "token."+e2etest.Secret)
	u.Env = append(u.Env, "COSIGN_PASSWORD="+e2etest.Secret, "SIGSTORE_ID_TOKEN="+s.Token)
	e2etest.Write(t, filepath.Join(c.dir, "trusted_root.json"), s.TrustedRoot(false))
	inBoth(t, func(t *testing.T, r *testworld.Registry) {
		keyed, keyless := r.Host+"/acme/keyed:1", r.Host+"/acme/keyless:1"
		u.Build(t, dir, "-t", keyed, "--push", "--insecure-registry", "--attach", "lock,sbom", "--sign", filepath.Join(c.dir, "cosign.key"))
		u.Build(t, dir, "-t", keyless, "--push", "--insecure-registry", "--sign", "keyless", "--fulcio-url", s.URL, "--rekor-url", s.URL)
		byKey := []string{"--insecure-ignore-tlog", "--allow-http-registry", "--key"}
		byIdentity := []string{"--insecure-ignore-sct", "--allow-http-registry", "--trusted-root", "trusted_root.json", "--certificate-oidc-issuer", s.Issuer, "--certificate-identity"}
		provenance := []string{"verify-attestation", "--type", "slsaprovenance1"}
		for _, tt := range []struct {
			command, how []string
			who, image   string
			ok           bool
		}{
			{[]string{"verify"}, byKey, "cosign.pub", keyed, true},
			{[]string{"verify"}, byKey, "other.pub", keyed, false},
			{provenance, byKey, "cosign.pub", keyed, true},
			{provenance, byKey, "other.pub", keyed, false},
			{[]string{"verify"}, byIdentity, s.Identity, keyless, true},
			{[]string{"verify"}, byIdentity, "other@example.org", keyless, false},
			{provenance, byIdentity, s.Identity, keyless, true},
		} {
			args := slices.Concat(tt.command, tt.how, []string{tt.who, tt.image})
			if _, err := c.run(t, args...); (err == nil) != tt.ok {
				t.Errorf("cosign %s: %v", strings.Join(args, " "), err)
			}
		}
		if out := c.must(t, "download", "attestation", "--allow-http-registry", keyed); !strings.Contains(out, "dsse") {
			t.Errorf("cosign downloads\n%.500s", out)
		}
	})
}

// cosign verifies the tag of an index, its digest and each of its images, and refuses all of
// them for another key.
func TestRealCosignOfAnIndex(t *testing.T) {
	gated(t)
	c := newProgram(t, "cosign")
	c.must(t, "generate-key-pair")
	c.must(t, "generate-key-pair", "--output-key-prefix", "other")
	u := e2etest.NewUser(t)
	u.Env = append(u.Env, "COSIGN_PASSWORD="+e2etest.Secret)
	p := indextest.New(t, u)
	inBoth(t, func(t *testing.T, r *testworld.Registry) {
		name := r.Host + "/acme/two:1"
		made, err := p.Build(t.Context(), t, lamina.Build{
			Sign: lamina.Signing{Key: filepath.Join(c.dir, "cosign.key")}, Outputs: []output.Output{{Type: output.Image, Push: true, Names: []string{name}, Insecure: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{name, name + "@" + made.Manifest.String(), name + "@" + made.Images[0].Manifest.String(), name + "@" + made.Images[1].Manifest.String()} {
			for key, want := range map[string]bool{"cosign.pub": true, "other.pub": false} {
				if _, err := c.run(t, "verify", "--insecure-ignore-tlog", "--allow-http-registry", "--key", key, what); (err == nil) != want {
					t.Errorf("cosign verify --key %s %s: %v", key, what, err)
				}
			}
		}
	})
}

// oras discovers each document, and pulls the lock as it is.
func TestRealOras(t *testing.T) {
	gated(t)
	o := newProgram(t, "oras")
	inBoth(t, func(t *testing.T, r *testworld.Registry) {
		_, name, dir := publish(t, r)
		var found struct {
			Referrers []struct{ Reference, ArtifactType string }
		}
		decode(t, o.must(t, "discover", "--plain-http", "--format", "json", name), &found)
		var types []string
		lock := ""
		for _, f := range found.Referrers {
			types = append(types, f.ArtifactType)
			if strings.HasPrefix(f.ArtifactType, "application/vnd.lamina.lock.") {
				lock = f.Reference
			}
		}
		slices.Sort(types)
		want := []string{"application/spdx+json", "application/vnd.cyclonedx+json", "application/vnd.in-toto+json", "application/vnd.lamina.lock.v4+toml"}
		if diff := cmp.Diff(want, types); diff != "" {
			t.Fatalf("oras discovers (-want +got):\n%s", diff)
		}
		o.must(t, "pull", "--plain-http", lock, "-o", t.Name())
		want1, err := os.ReadFile(filepath.Join(dir, "image.lock"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(o.dir, t.Name(), "image.lock")); err != nil || string(got) != string(want1) {
			t.Errorf("oras pulls a lock of %d bytes, %v", len(got), err)
		}
	})
}

// buildx shows an image with its digest and its configuration.
func TestRealImagetools(t *testing.T) {
	gated(t)
	b := newProgram(t, "buildx")
	inBoth(t, func(t *testing.T, r *testworld.Registry) {
		u, name, _ := publish(t, r)
		if out := b.must(t, "imagetools", "inspect", name); !strings.Contains(out, u.Digest(t).String()) {
			t.Errorf("buildx shows\n%s", out)
		}
		var config struct{ Architecture, Os string }
		decode(t, b.must(t, "imagetools", "inspect", "--format", "{{json .Image}}", name), &config)
		if config.Os != "linux" || config.Architecture == "" {
			t.Errorf("buildx reads %+v", config)
		}
	})
}

// syft reads the distribution and every Debian package of the image in both SBOMs, and each
// Python distribution that is no Debian package.
func TestRealSyft(t *testing.T) {
	gated(t)
	s := newProgram(t, "syft")
	u, name, _ := publish(t, testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true}))
	type found struct {
		Artifacts []struct{ Name, Version, Type string }
		Distro    struct{ ID, VersionID string }
	}
	in := func(args ...string) (f found) {
		decode(t, s.must(t, append(args, "-o", "syft-json", "-q")...), &f)
		return f
	}
	image := in("scan", "registry:"+name)
	if len(image.Artifacts) < 50 {
		t.Fatalf("syft finds %d packages in the image", len(image.Artifacts))
	}
	for document, file := range map[string]string{"spdx": "sbom.spdx.json", "cyclonedx": "sbom.cdx.json"} {
		text := u.Build(t, "inspect", "--insecure-registry", "--document", document, name).Stdout
		e2etest.Write(t, filepath.Join(s.dir, file), []byte(text))
		ours, held := in("convert", file), map[string]bool{}
		for _, a := range ours.Artifacts {
			held[a.Name+" "+a.Version] = true
			held[a.Type+" "+a.Name] = true
		}
		for _, a := range image.Artifacts {
			if isDebs := a.Type == "python" && held["deb python3-"+a.Name]; a.Type != "model" && !held[a.Name+" "+a.Version] && !isDebs {
				t.Errorf("%s: syft finds %s %s %s in the image alone", file, a.Type, a.Name, a.Version)
			}
		}
		if ours.Distro != image.Distro {
			t.Errorf("%s: syft reads the distribution %v, and finds %v in the image", file, ours.Distro, image.Distro)
		}
	}
}

// trivy reads the distribution and its packages in both SBOMs, and takes that of a registry for
// the image's own.
func TestRealTrivy(t *testing.T) {
	gated(t)
	p := newProgram(t, "trivy")
	u, name, _ := publish(t, testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true}))
	common := []string{"--scanners", "license", "--list-all-pkgs", "--format", "json", "--quiet", "--cache-dir", filepath.Join(p.dir, "cache")}
	check := func(what, out string) {
		var found struct {
			Metadata struct{ OS struct{ Family, Name string } }
			Results  []struct {
				Type     string
				Packages []struct{ Name, SrcName string }
			}
		}
		decode(t, out, &found)
		debs, sources := 0, 0
		for _, r := range found.Results {
			if r.Type == "debian" {
				for _, p := range r.Packages {
					debs++
					if p.SrcName != p.Name {
						sources++
					}
				}
			}
		}
		if os := found.Metadata.OS; debs < 50 || sources < 20 || os.Family != "debian" || !strings.HasPrefix(os.Name, "12.") {
			t.Errorf("trivy reads %d Debian packages, %d of them with other sources, of %s %s in %s", debs, sources, os.Family, os.Name, what)
		}
	}
	for document, file := range map[string]string{"spdx": "sbom.spdx.json", "cyclonedx": "sbom.cdx.json"} {
		text := u.Build(t, "inspect", "--insecure-registry", "--document", document, name).Stdout
		e2etest.Write(t, filepath.Join(p.dir, file), []byte(text))
		check(file, p.must(t, slices.Concat([]string{"sbom"}, common, []string{file})...))
	}
	check("the registry", p.must(t, slices.Concat([]string{"image", "--insecure", "--sbom-sources", "oci"}, common, []string{name})...))
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v\n%.2000s", err, text)
	}
}
