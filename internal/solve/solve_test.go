package solve

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	fstypes "github.com/tonistiigi/fsutil/types"

	"lamina.build/cache"
	"lamina.build/internal/layout"
	"lamina.build/llb"
	"lamina.build/stages"
)

// engine is a fake gateway of an engine. It answers a graph with the files of its last operation,
// by name.
type engine struct {
	gateway.Client
	files map[string][]string
	err   error
	asked []gateway.SolveRequest
}

func (e *engine) Solve(_ context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	e.asked = append(e.asked, r)
	res := gateway.NewResult()
	for name, files := range e.files {
		if slices.ContainsFunc(r.Definition.Def, func(op []byte) bool { return strings.Contains(string(op), name) }) {
			res.SetRef(solved{files: files})
		}
	}
	return res, e.err
}

// solved is the result of a graph.
type solved struct {
	gateway.Reference
	files []string
}

func (r solved) ReadDir(context.Context, gateway.ReadDirRequest) ([]*fstypes.Stat, error) {
	if r.files == nil {
		return nil, errors.New("it was pruned")
	}
	stats := make([]*fstypes.Stat, len(r.files))
	for i, name := range r.files {
		stats[i] = &fstypes.Stat{Path: name}
	}
	return stats, nil
}

func (r solved) ReadFile(_ context.Context, f gateway.ReadRequest) ([]byte, error) {
	if !slices.Contains(r.files, f.Filename) {
		return nil, errors.New("no such file")
	}
	return []byte("content of " + f.Filename), nil
}

func request(t *testing.T, names ...string) Request {
	t.Helper()
	r := Request{Image: stages.Image{Config: dockerspec.DockerOCIImage{Image: ocispec.Image{Author: "ada", Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}}}}}
	for _, name := range names {
		state := llb.Files(name, map[string]string{name: "x"})
		r.Image.Parts = append(r.Image.Parts, stages.Part{State: state, Layers: []stages.Layer{{What: name}}, Optional: true})
	}
	return r
}

// An optional package with an empty layer was left out.
func TestLayersThatHoldNothing(t *testing.T) {
	probes, err := request(t, "xformers", "flash-attn", "apex").probes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{files: map[string][]string{"xformers": {}, "flash-attn": {"usr"}, "apex": {}}}
	empty, err := look(t.Context(), e, probes)
	if diff := cmp.Diff([]string{"xformers", "apex"}, empty); diff != "" || err != nil {
		t.Errorf("empty are (-want +got), %v:\n%s", err, diff)
	}
	e.files["flash-attn"] = nil
	if _, err = look(t.Context(), e, probes); err == nil || !strings.Contains(err.Error(), "reading the layer of flash-attn: it was pruned") {
		t.Errorf("got %v", err)
	}
	e.err = errors.New("no connection")
	if _, err = look(t.Context(), e, probes); !errors.Is(err, e.err) {
		t.Errorf("got %v", err)
	}
}

func TestReadAll(t *testing.T) {
	ref := solved{files: []string{"a", "b"}}
	files, err := readAll(t.Context(), ref, []string{"b", "a"})
	if diff := cmp.Diff([][]byte{[]byte("content of b"), []byte("content of a")}, files); diff != "" || err != nil {
		t.Errorf("files (-want +got), %v:\n%s", err, diff)
	}
	if _, err = readAll(t.Context(), ref, []string{"a", "c"}); err == nil || err.Error() != `reading "c": no such file` {
		t.Errorf("got %v", err)
	}
}

// The exporter gets the platform of the image, whatever the engine's own is.
func TestDescribe(t *testing.T) {
	res := gateway.NewResult()
	config := dockerspec.DockerOCIImage{Image: ocispec.Image{Author: "ada", Platform: ocispec.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}}
	if err := describe(res, config); err != nil {
		t.Fatal(err)
	}
	var list exptypes.Platforms
	if err := json.Unmarshal(res.Metadata[exptypes.ExporterPlatformsKey], &list); err != nil {
		t.Fatal(err)
	}
	want := []exptypes.Platform{{ID: "linux/arm64", Platform: ocispec.Platform{OS: "linux", Architecture: "arm64"}}}
	if diff := cmp.Diff(want, list.Platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	var got ocispec.Image
	if err := json.Unmarshal(res.Metadata[exptypes.ExporterImageConfigKey], &got); err != nil || got.Author != "ada" || got.Architecture != "arm64" {
		t.Errorf("config is %+v, %v", got, err)
	}
}

func TestResult(t *testing.T) {
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("index"), Size: 3}
	text, err := json.Marshal(desc)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(text)
	config := digest.FromString("config")
	for _, tt := range []struct {
		name, encoded string
		want          Result
		problem       bool
	}{
		{"an image", encoded, Result{Descriptor: desc, Config: config}, false},
		{"bare files", "", Result{Config: config}, false},
		{"no base64", "!", Result{}, true},
		{"no JSON", base64.StdEncoding.EncodeToString([]byte("{")), Result{Config: config}, true},
	} {
		got, err := result(map[string]string{
			exptypes.ExporterImageDescriptorKey: tt.encoded, exptypes.ExporterImageConfigDigestKey: config.String(),
		})
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.problem {
			t.Errorf("%s (-want +got), %v:\n%s", tt.name, err, diff)
		}
	}
}

// An engine gets stores and caches. The attributes are copies: the client writes into them,
// and a build may be retried.
func TestOptions(t *testing.T) {
	l, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := request(t)
	r.Store = l.Store()
	r.Cache = cache.Remote{
		Imports: []cache.Entry{{Type: "gha", Attrs: map[string]string{"token": "t"}}, {Type: "local", Attrs: map[string]string{"src": "cache"}}},
		Exports: []cache.Entry{{Type: "local", Attrs: map[string]string{"dest": "cache"}}},
	}
	o := r.options(nil)
	if len(o.OCIStores) != 1 || o.CompatibilityVersion != Compatibility || o.FrontendAttrs == nil {
		t.Errorf("got %+v", o)
	}
	// The client writes its imports into what an engine records: none may have a login.
	want := []client.CacheOptionsEntry{{Type: "local", Attrs: map[string]string{"src": "cache"}}}
	if diff := cmp.Diff(want, o.CacheImports); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
	if o.CacheExports[0].Type != "local" || o.CacheExports[0].Attrs["dest"] != "cache" {
		t.Errorf("exports are %v", o.CacheExports)
	}
	o.CacheImports[0].Attrs["digest"] = "sha256:0"
	if got := imports(o.CacheImports, r.Cache.Imports); len(got) != 2 || got[0].Attrs["digest"] != "sha256:0" || got[1].Attrs["token"] != "t" || r.Cache.Imports[1].Attrs["digest"] != "" {
		t.Errorf("for the gateway they are %v, of the request %v", got, r.Cache.Imports)
	}
	r.Models = l.Store()
	if o = r.options(nil); len(o.OCIStores) != 2 {
		t.Error("there are no models")
	}
}

func TestIgnoreCache(t *testing.T) {
	def, err := llb.Marshal(t.Context(), llb.Files("x", map[string]string{"x": "x"}), ocispec.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if devices, err := onDevices(def, true); len(devices) > 0 || err != nil {
		t.Errorf("devices %v, %v", devices, err)
	}
	for _, op := range def.Def {
		var o pb.Op
		if err := o.UnmarshalVT(op); err != nil {
			t.Fatal(err)
		}
		if o.GetOp() != nil && !def.Metadata[digest.FromBytes(op)].IgnoreCache {
			t.Errorf("%v is taken from the cache", &o)
		}
	}
}

// Only steps that use a device are entitled to it and run each time.
func TestOnDevices(t *testing.T) {
	plain := llb.Exec{Name: "plain", Args: []string{"a"}}.On(llb.Files("x", map[string]string{"x": "x"}))
	gpus := llb.Exec{Name: "gpus", Args: []string{"b"}, Devices: []string{"nvidia.com/gpu=0", "nvidia.com/gpu=1"}}
	again := llb.Exec{Name: "again", Args: []string{"c"}, Devices: []string{"nvidia.com/gpu=1"}}.On(gpus.On(plain))
	def, err := llb.Marshal(t.Context(), again, ocispec.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := onDevices(def, false)
	if want := []string{"device=nvidia.com/gpu=0", "device=nvidia.com/gpu=1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("entitlements %q, %v, want %q", got, err, want)
	}
	if allowed := (Request{}).options(got).AllowedEntitlements; !slices.Equal(allowed, got) {
		t.Errorf("allowed is %q", allowed)
	}
	var anew []string
	for _, meta := range def.Metadata {
		if meta.IgnoreCache {
			anew = append(anew, meta.Description["llb.customname"])
		}
	}
	if slices.Sort(anew); !slices.Equal(anew, []string{"again", "gpus"}) {
		t.Errorf("without the cache run %q", anew)
	}
}

// An archive has the date of its image instead of the engine's.
func TestDateOfExports(t *testing.T) {
	created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for want, at := range map[string]*time.Time{"1793491200": &created, "315532800": nil} {
		for kind, has := range map[string]bool{client.ExporterOCI: true, client.ExporterDocker: true, client.ExporterTar: false, client.ExporterImage: false} {
			entry := client.ExportEntry{Type: kind, Attrs: map[string]string{}}
			got := dated([]client.ExportEntry{entry}, at)[0].Attrs["source-date-epoch"]
			if has && got != want || !has && got != "" {
				t.Errorf("%s: date %q, want %s", kind, got, want)
			}
			if entry.Attrs["source-date-epoch"] != "" {
				t.Errorf("%s: the entry itself is changed", kind)
			}
		}
	}
}
