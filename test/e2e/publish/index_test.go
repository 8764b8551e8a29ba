package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/opencontainers/go-digest"

	"lamina.build"

	"lamina.build/internal/attest"
	"lamina.build/internal/signing"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/indextest"
	"lamina.build/internal/test/testworld"
	"lamina.build/llb"
	"lamina.build/output"
	"lamina.build/stages"
)

// An index is signed as a whole, in registries with and without the referrers API and in a
// layout, before its tag moves; an image in it that isn't signed by the same key is named.
func TestRealSignedIndex(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	p := indextest.New(t, u)
	private, public := cosignKey(t, "")
	_, other := cosignKey(t, "")
	registry := testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true})
	older := testworld.NewRegistry(t, testworld.RegistryOptions{})
	tagged := false
	for _, r := range []*testworld.Registry{registry, older} {
		r.Fail("PUT /v2/**", testworld.Around(-1, func(rw http.ResponseWriter, req *http.Request, right http.Handler) {
			data, _ := io.ReadAll(req.Body)
			req.Body = io.NopCloser(bytes.NewReader(data))
			if bytes.Contains(data, []byte(`"subject"`)) && r.Manifest("acme/two", "1") != nil {
				tagged = true
			}
			right.ServeHTTP(rw, req)
		}))
	}
	layout := filepath.Join(t.TempDir(), "two")
	made, err := p.Build(t.Context(), t, lamina.Build{
		Sign: lamina.Signing{Key: private}, Attach: []lamina.Attachment{lamina.AttachLock},
		Outputs: []output.Output{
			{Type: output.Image, Push: true, Names: []string{registry.Host + "/acme/two:1", older.Host + "/acme/two:1"}, Insecure: true},
			{Type: output.OCI, Dest: layout},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if tagged {
		t.Error("a document came after the tag")
	}
	for _, place := range []string{registry.Host + "/acme/two:1", older.Host + "/acme/two:1", layout} {
		shown := u.Build(t, "inspect", "--insecure-registry", "--key", public, place)
		if n := strings.Count(shown.Stdout, "  signed\n"); n != 7 || !strings.Contains(shown.Stdout, place+"  index of 2 images\n"+made.Manifest.String()+"\n") {
			t.Errorf("%s: %d documents are signed\n%s", place, n, shown.Stdout)
		}
		said := u.Build(t, "inspect", "--json", "--insecure-registry", "--key", public, place)
		var seen lamina.Inspected
		if err = json.Unmarshal([]byte(said.Stdout), &seen); err != nil || seen.Index == nil || seen.Index.Digest != made.Manifest || len(seen.Index.Attached) != 1 {
			t.Errorf("%s: %v\n%s", place, err, said.Stdout)
		}
		for _, command := range []string{"inspect", "verify"} {
			args := []string{command, "--insecure-registry", "--key", other, place}
			if command == "verify" {
				args = append(args, p.Dir)
			}
			u.Fails(t, 3, []string{"index " + place + " has no signature", place + " for linux/amd64 has no signature", place + " for linux/arm64 has no signature"}, args...)
		}
	}

	// An index that somebody else put together from signed images isn't what was signed.
	var index map[string]any
	if err = json.Unmarshal(registry.Manifest("acme/two", "1"), &index); err != nil {
		t.Fatal(err)
	}
	index["annotations"] = map[string]string{"by": "somebody"}
	text, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	put(t, registry, "acme/two", "other", text)
	u.Fails(t, 3, []string{"index " + registry.Host + "/acme/two:other has no signature"}, "inspect", "--insecure-registry", "--key", public, registry.Host+"/acme/two:other")
	u.Build(t, "inspect", "--insecure-registry", "--key", public, registry.Host+"/acme/two@"+digest.FromBytes(registry.Manifest("acme/two", "1")).String())
}

// A statement that a rebuild gave the same is about the index, too, and names its images; but
// only if all of the index is the same.
func TestRealVerifiedIndex(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	p := indextest.New(t, u)
	private, public := cosignKey(t, "")
	sign := lamina.Signing{Key: private}
	made := map[string]lamina.Made{}
	for name, annotations := range map[string][]output.Annotation{"plain": nil, "annotated": {{Key: "a", Value: "b", Index: true}, {Key: "c", Value: "d"}}} {
		var err error
		if made[name], err = p.Build(t.Context(), t, lamina.Build{
			Sign: sign, Attach: []lamina.Attachment{lamina.AttachLock, lamina.AttachProvenance},
			Outputs: []output.Output{{Type: output.OCI, Dest: filepath.Join(u.Dir, name), Annotations: annotations}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	document := func(args ...string) (text string) {
		t.Helper()
		shown := u.Build(t, append([]string{"inspect", "plain", "--document"}, args...)...)
		if others := args[0] == "provenance" && len(args) == 1; strings.Contains(shown.Stderr, "this is the provenance of linux/amd64, the first of 2 images; --platform chooses another") != others {
			t.Errorf("%q: it prints\n%s", args, shown.Stderr)
		}
		return shown.Stdout
	}
	lock, provenance := document("lock"), document("provenance")
	for i, platform := range indextest.Platforms() {
		if one := document("provenance", "--platform", platform); !strings.Contains(one, made["plain"].Images[i].Manifest.Encoded()) || (one == provenance) != (i == 0) {
			t.Errorf("the provenance for %s is %.2000s", platform, one)
		}
	}
	u.Fails(t, 2, []string{"plain has no image for linux/riscv64, only for linux/amd64, linux/arm64"}, "inspect", "--platform", "linux/riscv64", "plain")
	if want := `"lock":{"name":"image.lock","digest":{"sha256":"` + digest.FromString(lock).Encoded() + `"}}`; !strings.Contains(provenance, want) {
		t.Errorf("the provenance has no %s:\n%.2000s", want, provenance)
	}
	stated := func(name string) string { // how many statements the index and each image have
		t.Helper()
		var seen lamina.Inspected
		if err := json.Unmarshal([]byte(u.Build(t, "inspect", "--json", "--key", public, name).Stdout), &seen); err != nil {
			t.Fatal(err)
		}
		var counts strings.Builder
		for _, list := range [][]lamina.Attached{seen.Index.Attached, seen.Attached, seen.Further[0].Attached} {
			n := 0
			for _, a := range list {
				if a.Signed && a.Predicate() == attest.VerificationV1 {
					n++
				}
			}
			fmt.Fprint(&counts, n)
		}
		return counts.String()
	}
	verify := func(name string, o lamina.VerifyImageOptions) lamina.Verified {
		t.Helper()
		o.Sign = sign
		v, err := p.Verify(t.Context(), t, filepath.Join(u.Dir, name), o)
		if err != nil {
			t.Fatal(err)
		}
		// A statement's time is in whole seconds: two of the same second are one.
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		return v
	}
	statement := filepath.Join(t.TempDir(), "statement.json")
	if v := verify("plain", lamina.VerifyImageOptions{Statement: statement}); !v.Equal() || v.Index != made["plain"].Manifest || stated("plain") != "000" {
		t.Errorf("rebuilt as %s: %+v", v.Index, v.Differences)
	}
	bundle, err := os.ReadFile(statement)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signing.Statement(bundle)
	if err != nil {
		t.Fatal(err)
	}
	said, err := attest.Parse(text)
	for _, want := range append(made["plain"].Images, made["plain"]) {
		if err != nil || !said.Names(want.Manifest) || len(said.Subject) != 3 {
			t.Errorf("the statement is %s, %v", text, err)
		}
	}
	if v := verify("plain", lamina.VerifyImageOptions{Platforms: []string{"linux/arm64"}}); v.Index != "" || stated("plain") != "001" {
		t.Errorf("one of them: %s, stated %s", v.Index, stated("plain"))
	}
	if verify("plain", lamina.VerifyImageOptions{}); stated("plain") != "112" {
		t.Errorf("stated %s", stated("plain"))
	}

	// A manifest only names its layers: what a layout has of them is read, before a rebuild.
	layer := filepath.Join(u.Dir, "plain", "blobs", "sha256", made["plain"].Images[0].Layers[0].Digest.Encoded())
	whole, err := os.ReadFile(layer)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Remove(layer); err != nil { // it is read-only
		t.Fatal(err)
	}
	e2etest.Write(t, layer, append([]byte("x"), whole[1:]...))
	_, err = p.Verify(t.Context(), t, filepath.Join(u.Dir, "plain"), lamina.VerifyImageOptions{Sign: sign, Draw: func(in stages.Input) (stages.Image, error) {
		t.Error("a damaged image is rebuilt")
		return indextest.Draw(in)
	}})
	if lamina.KindOf(err) != lamina.Findings || !strings.Contains(err.Error(), "its content has another digest") || stated("plain") != "112" {
		t.Errorf("got %v, stated %s", err, stated("plain"))
	}

	// What a checkout can't tell must be said.
	v := verify("annotated", lamina.VerifyImageOptions{})
	if got := fmt.Sprint(v.Differences); v.Equal() || got != `[annotations.c: "d" in the one, nothing in the other]` || stated("annotated") != "000" {
		t.Errorf("without its annotations it is the same, %t: %s", v.Equal(), got)
	}
	some := lamina.VerifyImageOptions{Annotations: []output.Annotation{{Key: "c", Value: "d"}}, Statement: statement}
	some.Sign = sign
	if _, err = p.Verify(t.Context(), t, filepath.Join(u.Dir, "annotated"), some); lamina.KindOf(err) != lamina.Findings || !strings.Contains(err.Error(), "is not the index of them") {
		t.Errorf("got %v", err)
	}
	some.Statement = ""
	if v = verify("annotated", some); !v.Equal() || v.Index == made["annotated"].Manifest || stated("annotated") != "011" {
		t.Errorf("without the annotation of the index: %s, stated %s", v.Index, stated("annotated"))
	}
	some.Annotations = append(some.Annotations, output.Annotation{Key: "a", Value: "b", Index: true})
	if v = verify("annotated", some); v.Index != made["annotated"].Manifest || stated("annotated") != "122" {
		t.Errorf("with all annotations: %s, stated %s", v.Index, stated("annotated"))
	}
}

// meeting is a server whose files come only once all of them have been requested.
type meeting struct {
	*httptest.Server

	content string
	mu      sync.Mutex
	missing map[string]bool
	met     chan struct{}
}

// meet makes a server with files that no engine has.
func meet(t *testing.T, names ...string) *meeting {
	t.Helper()
	m := &meeting{content: fmt.Sprint(time.Now()), missing: map[string]bool{}, met: make(chan struct{})}
	for _, name := range names {
		m.missing["/"+name] = true
	}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		if m.missing[r.URL.Path] {
			if delete(m.missing, r.URL.Path); len(m.missing) == 0 {
				close(m.met)
			}
		}
		m.mu.Unlock()
		select {
		case <-m.met:
			_, _ = io.WriteString(w, m.content+r.URL.Path)
		case <-r.Context().Done():
		case <-time.After(time.Minute):
			http.Error(w, "nobody else came", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

// file returns the file for a platform, as an engine fetches it.
func (m *meeting) file(arch string) llb.State {
	return llb.Fetch(m.URL+"/"+arch, digest.FromString(m.content+"/"+arch), arch)
}

// draw draws the app over a layer with the file of the platform.
func (m *meeting) draw(in stages.Input) (stages.Image, error) {
	image, err := indextest.Draw(in)
	if err != nil {
		return image, err
	}
	arch := in.Platform.Architecture
	app, own := image.Parts[0], stages.Part{Stage: "own", State: llb.Clean("own", m.file(arch), "/"+arch, "/"+arch), Layers: []stages.Layer{{What: "a file"}}}
	image.Parts, image.State = []stages.Part{own, app}, llb.Merge("image", own.State, app.State)
	of := image.Config.History[0]
	of.CreatedBy, of.Comment = "lamina own", "a file"
	image.Config.History = append(image.Config.History[:0:0], of, image.Config.History[0])
	return image, nil
}

// watched records the progress groups of steps, and which views were open at the same time.
type watched struct {
	mu         sync.Mutex
	open, most int
	groups     map[string]bool
}

func (*watched) Note(string) {}

func (w *watched) Watch(_ context.Context, _ lamina.Work, steps chan *client.SolveStatus) error {
	w.mu.Lock()
	w.open++
	w.most = max(w.most, w.open)
	w.mu.Unlock()
	for s := range steps {
		w.mu.Lock()
		for _, v := range s.Vertexes {
			if v.ProgressGroup != nil && v.Started != nil {
				w.groups[v.ProgressGroup.Name] = true
			}
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	w.open--
	w.mu.Unlock()
	return nil
}

// The engines of several platforms work at the same time, in one display, and the result is
// what each makes alone.
func TestRealPlatformsAtTheSameTime(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	p := indextest.New(t, u)
	m := meet(t, "amd64", "arm64")
	seen := &watched{groups: map[string]bool{}}
	p.Progress = seen
	drawings := 0
	draw := func(in stages.Input) (stages.Image, error) { drawings++; return m.draw(in) }
	b := lamina.Build{Draw: draw, Allow: []llb.State{m.file("amd64"), m.file("arm64")}}
	at := func(name string) []output.Output {
		return []output.Output{{Type: output.OCI, Dest: filepath.Join(t.TempDir(), name)}, {Type: output.OCI, Tar: true, Dest: filepath.Join(t.TempDir(), name+".tar")}}
	}
	b.Outputs = at("both")
	both, err := p.Build(t.Context(), t, b)
	if err != nil {
		t.Fatal(err)
	}
	if drawings != len(both.Images) {
		t.Errorf("%d images were drawn %d times", len(both.Images), drawings)
	}
	if seen.most != 1 || len(seen.groups) != 2 || !seen.groups["linux/amd64"] || !seen.groups["linux/arm64"] {
		t.Errorf("%d views were open at the same time, with the steps of %v", seen.most, seen.groups)
	}
	for i, platform := range indextest.Platforms() {
		b.Outputs, b.Platforms = at("one"), []string{platform}
		one, err := p.Build(t.Context(), t, b)
		if err != nil || one.Manifest != both.Images[i].Manifest {
			t.Errorf("%s: alone it is %s, %v, not %s", platform, one.Manifest, err, both.Images[i].Manifest)
		}
	}
}

// What fails for each platform is reported at once; a canceled build ends on all engines.
func TestRealPlatformsThatFail(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	p := indextest.New(t, u)
	draw := func(in stages.Input) (stages.Image, error) {
		image, err := indextest.Draw(in)
		if err == nil {
			image.State = llb.Merge("image", image.State, llb.Clean("own", image.State, "/none/"+in.Platform.Architecture, "/own"))
		}
		return image, err
	}
	_, err := p.Build(t.Context(), t, lamina.Build{Draw: draw, Outputs: []output.Output{{Type: output.CacheOnly}}})
	for _, arch := range []string{"amd64", "arm64"} {
		if err == nil || !strings.Contains(err.Error(), "linux/"+arch+": ") || !strings.Contains(err.Error(), "/none/"+arch) {
			t.Errorf("it says %v", err)
		}
	}
	m := meet(t, "amd64", "arm64", "never")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for n := 3; n > 1; time.Sleep(10 * time.Millisecond) { // until both engines wait
			m.mu.Lock()
			n = len(m.missing)
			m.mu.Unlock()
		}
		cancel()
	}()
	_, err = p.Build(ctx, t, lamina.Build{Draw: m.draw, Allow: []llb.State{m.file("amd64"), m.file("arm64")}, Outputs: []output.Output{{Type: output.CacheOnly}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}
