package solve

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// installed is a graph of two steps that install from a mirror, and the recorder of a run in
// which those ran that say something.
func installed(t *testing.T, mirror, sum string, outputs map[string]string) (*bkllb.Definition, *recorder) {
	t.Helper()
	deb := bkllb.HTTP(mirror+"/x.deb", bkllb.Checksum(digest.FromString(sum)))
	step := func(name string) bkllb.State {
		return bkllb.Scratch().Run(bkllb.Args([]string{"/install", name}), bkllb.AddMount("/debs", deb), bkllb.WithCustomName(name)).Root()
	}
	def, err := bkllb.Merge([]bkllb.State{step("runtime: install 3 packages"), step("builder: install 3 packages")}).Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{outputs: map[digest.Digest][]byte{}}
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		id := digest.FromBytes(data)
		if said := outputs[def.Metadata[id].Description["llb.customname"]]; op.GetExec() != nil && said != "" {
			r.outputs[id] = []byte(said)
		}
	}
	return def, r
}

// What is removed is told as well by a build that has the step in a cache, from whichever
// mirror; and of what was installed of other packages, nothing. What the builder's packages
// make is in no image, and its removal nothing to tell.
func TestRemovedIsToldAgain(t *testing.T) {
	const id, key = "lamina: removed {\"kind\": \"machine-id\", \"path\": \"/etc/machine-id\"}\n", "lamina: removed {\"kind\": \"key\", \"path\": \"/a\"}\n"
	dir := filepath.Join(t.TempDir(), "told")
	want := []Removed{{"key", "/a"}, {"machine-id", "/etc/machine-id"}}
	for _, tt := range []struct {
		name, mirror, sum string
		ran               bool
		dir               string
		want              []Removed
	}{
		{"cached, and never seen", "https://a.example", "x", false, dir, nil},
		{"run", "https://a.example", "x", true, dir, want},
		{"cached", "https://a.example", "x", false, dir, want},
		{"cached, and another mirror", "https://b.example/debian", "x", false, dir, want},
		{"cached, and other packages", "https://a.example", "y", false, dir, nil},
		{"cached, and nothing kept", "https://a.example", "x", false, "", nil},
		{"run, and nothing kept", "https://a.example", "x", true, "", want},
		{"run, and nothing can be kept", "https://a.example", "x", true, "/dev/null/x", want},
	} {
		said := map[string]string{}
		if tt.ran {
			said = map[string]string{"runtime: install 3 packages": "unpacking\n" + id + key + id, "builder: install 3 packages": "lamina: removed {\"kind\": \"key\", \"path\": \"/builder\"}\n"}
		}
		def, r := installed(t, tt.mirror, tt.sum, said)
		if diff := cmp.Diff(tt.want, r.removed(def, tt.dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("kept are %v, %v", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir, files[0].Name()), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	def, r := installed(t, "https://a.example", "x", nil)
	if got := r.removed(def, dir); got != nil {
		t.Errorf("of a file that can't be read: %v", got)
	}
}
