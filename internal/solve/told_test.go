package solve

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// installed returns a graph of two steps that install from a mirror, and the recorder of a run in
// which those with outputs ran.
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

// The notes of steps are also reported on a cache hit, whatever the mirror, but not those of
// other packages. What the builder's packages make is in no image, and its removal not worth
// a report.
func TestWhatStepsSayIsToldAgain(t *testing.T) {
	const id, key, note = "lamina: removed {\"kind\": \"machine-id\"}\r\n", "lamina: removed {\"kind\": \"key\"}\n", "lamina: note a \"b\"\n"
	dir := filepath.Join(t.TempDir(), "told")
	const want = "lamina: removed {\"kind\": \"machine-id\"}\n" + key + note
	for _, tt := range []struct {
		name, mirror, sum string
		ran               bool
		dir               string
		want              string
	}{
		{"cached, and never seen", "https://a.example", "x", false, dir, ""},
		{"run", "https://a.example", "x", true, dir, want},
		{"cached", "https://a.example", "x", false, dir, want},
		{"cached, and another mirror", "https://b.example/debian", "x", false, dir, want},
		{"cached, and other packages", "https://a.example", "y", false, dir, ""},
		{"cached, and nothing kept", "https://a.example", "x", false, "", ""},
		{"run, and nothing kept", "https://a.example", "x", true, "", want},
		{"run, and nothing can be kept", "https://a.example", "x", true, "/dev/null/x", want},
	} {
		said := map[string]string{}
		if tt.ran {
			said = map[string]string{"runtime: install 3 packages": "unpacking\n" + id + "I say " + note + key + note + "done\n", "builder: install 3 packages": id}
		}
		def, r := installed(t, tt.mirror, tt.sum, said)
		if diff := cmp.Diff(tt.want, string(r.told(def, tt.dir))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("kept are %v, %v", files, err)
	}
}

func TestPrunedIsSummedUpByRule(t *testing.T) {
	got := pruned([]byte("lamina: pruned {\"rule\": \"**/*.a\", \"files\": 2, \"bytes\": 30}\nlamina: pruned {\"rule\": \"**/tests\", \"files\": 1, \"bytes\": 5}\n" +
		"lamina: pruned {\"rule\": \"**/*.a\", \"files\": 1, \"bytes\": 4000000000}\n" +
		"lamina: pruned garbage\nlamina: pruned {\"rule\": \"x\", \"files\": \"many\"}\n lamina: pruned {\"rule\": \"y\"}\nI say lamina: pruned {\"rule\": \"z\"}\n"))
	if diff := cmp.Diff([]Pruned{{"**/*.a", 3, 4_000_000_030}, {"**/tests", 1, 5}}, got); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
}

// At the end of a step an engine repeats what it clipped; another step may say the same.
func TestWhatAStepRepeatsCountsOnce(t *testing.T) {
	const said = "lamina: pruned {\"rule\": \"**/*.a\", \"files\": 2, \"bytes\": 30}\n"
	def, r := installed(t, "https://a.example", "x", nil)
	steps := 0
	for _, data := range def.Def {
		r.keep(digest.FromBytes(data), []byte("x\n"+said+"x\n[output clipped, log limit 200KiB/s reached]\n"+said+"x\n"))
		if name := def.Metadata[digest.FromBytes(data)].Description["llb.customname"]; !strings.HasPrefix(name, "builder: ") {
			steps++
		}
	}
	if diff := cmp.Diff([]Pruned{{"**/*.a", 2 * steps, 30 * int64(steps)}}, pruned(r.told(def, ""))); diff != "" {
		t.Errorf("pruned by %d steps (-want +got):\n%s", steps, diff)
	}
}

func TestWhatIsRemovedIsSorted(t *testing.T) {
	const a, b = "lamina: removed {\"kind\": \"key\", \"path\": \"/a\"}\n", "lamina: removed {\"kind\": \"id\", \"path\": \"/b\"}\n"
	if diff := cmp.Diff([]Removed{{"id", "/b"}, {"key", "/a"}}, removed([]byte(a+b+a+"lamina: note "+b))); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
}

func TestNotesAreToldOnce(t *testing.T) {
	if diff := cmp.Diff([]string{"b c", "a"}, notes([]byte("lamina: note b c\nlamina: note a\nlamina: removed {}\nlamina: note b c\n"))); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// The notes at the end of an output are kept, however long it is.
func TestWhatStepsSayAtTheEndOfALongOutput(t *testing.T) {
	const end = "lamina: note a\n"
	def, r := installed(t, "https://a.example", "x", nil)
	for _, data := range def.Def {
		for _, part := range []string{strings.Repeat("copied\n", outputLimit), end[:5], end[5:]} { // a log comes in pieces
			r.keep(digest.FromBytes(data), []byte(part))
		}
	}
	if got := notes(r.told(def, "")); !slices.Equal(got, []string{"a"}) {
		t.Errorf("told are %q", got)
	}
}
