package stages_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/proto"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func input(variant string) stages.Input {
	in := stages.Input{
		Name: "faceblend", Title: "faceblend", Version: "1.0", Licenses: "Apache-2.0", Variant: variant,
		Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
		Lock:     locked(),
		Mirrors:  llb.Mirrors{"debian": "http://deb.example/debian", "debian-security": "http://deb.example/debian-security"},
		Tools:    packed("tools"),
		Exclude:  llb.Exclude{"/usr/share/man/**", "/usr/share/doc/**", "!/usr/share/doc/*/copyright"},
		Sources:  []stages.Source{{Layer: packed("native"), Project: "native"}},
		Models:   []stages.Model{{Path: "/models/faceblend", Weights: []stages.Weights{weights("weights/0"), weights("weights/1")}}},
		App: &stages.App{
			Layer: packed("app"), Path: "/app", User: llb.User{Name: "app", UID: 10001}, Workdir: "/app",
			Entrypoint: []string{"python3", "/app/handler.py"}, Env: map[string]string{"WORKERS": "1"},
			Ports: []int{8000}, StopSignal: "SIGTERM",
		},
		Smoke: stages.Smoke{
			Level: stages.SmokeAll, Imports: []string{"numpy", "faceblend_native"},
			Run: [][]string{{"python3", "/app/handler.py", "--self-test"}}, ELFIgnore: []string{"libnvinfer.so.10"},
		},
	}
	if variant == "minimal" {
		in.Models[0].Weights = nil
	}
	return in
}

func packed(name string) llb.Layer {
	return llb.Layer{Name: name, Image: digest.FromString(name), DiffID: digest.FromString(name + " diff"), Size: 1}
}

// weights returns a layer of a model that the client has.
func weights(name string) stages.Weights {
	return stages.Weights{State: llb.Packed(packed(name)), Layers: []llb.Layer{packed(name)}}
}

// key returns the key of a part in an engine's cache. A fetched file has its name and its
// checksum as key, without its URL, which moves the digests of the steps.
func key(t *testing.T, p stages.Part) string {
	t.Helper()
	keys := map[string]string{} // by the digests of the steps
	var last []byte
	for _, raw := range marshal(t, p.State).Def {
		var op pb.Op
		if err := op.UnmarshalVT(raw); err != nil {
			t.Fatal(err)
		}
		if s := op.GetSource(); s != nil && s.Attrs[pb.AttrHTTPChecksum] != "" {
			s.Identifier = ""
		}
		for _, in := range op.Inputs {
			in.Digest = keys[in.Digest]
		}
		var err error
		if last, err = (proto.MarshalOptions{Deterministic: true}).Marshal(&op); err != nil {
			t.Fatal(err)
		}
		keys[digest.FromBytes(raw).String()] = digest.FromBytes(last).String()
	}
	return digest.FromBytes(last).String()
}

// what returns the description of a part's first layer.
func what(p stages.Part) string { return p.Layers[0].What }

// moved returns the layers that an engine makes again after a change, as "STAGE WHAT". A change
// that leaves graph and config the same is an error, since it would pass any test.
func moved(t *testing.T, before, after stages.Input) (list []string) {
	t.Helper()
	old, oldGraph := draw(t, before)
	image, newGraph := draw(t, after)
	if cmp.Equal(old.Config, image.Config) && slices.EqualFunc(oldGraph.Def, newGraph.Def, bytes.Equal) {
		t.Error("the change changes nothing")
	}
	if len(old.Parts) != len(image.Parts) {
		t.Fatalf("of %d parts, %d are left", len(old.Parts), len(image.Parts))
	}
	for i, p := range image.Parts {
		if key(t, old.Parts[i]) != key(t, p) {
			list = append(list, p.Stage+" "+what(p))
		}
	}
	return list
}

func locked() lock.Lock {
	deb := func(name string, sets ...string) lock.Package {
		p := lock.Package{
			Name: name, Version: "1.0+b1", Architecture: "amd64", Repository: "debian",
			Path: "pool/main/" + name + "_1.0+b1_amd64.deb", Size: 1, SHA256: digest.FromString(name).Encoded(),
		}
		for _, set := range sets {
			p.For = append(p.For, lock.ParseSet(set))
		}
		return p
	}
	return lock.Lock{
		Requirements: lock.Requirements{
			Platform: "linux/amd64", Suites: []string{"bookworm"}, Components: []string{"main"},
			Requests: []lock.Request{{Set: lock.ParseSet("base")}, {Set: lock.ParseSet("builder")}, {Set: lock.ParseSet("extra@debug")}, {Set: lock.ParseSet("runtime")}},
		},
		Releases: []lock.Release{{Repository: "debian", Suite: "bookworm", Date: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}},
		Packages: []lock.Package{
			deb("dpkg", "base", "builder", "runtime"), deb("g++", "builder"), deb("gdb", "extra@debug"), deb("python3", "builder", "runtime"),
		},
	}
}

func draw(t testing.TB, in stages.Input) (stages.Image, *bkllb.Definition) {
	t.Helper()
	image, err := stages.New(in)
	if err != nil {
		t.Fatal(err)
	}
	return image, marshal(t, image.State)
}

func parts(t testing.TB, in stages.Input) []stages.Part {
	image, _ := draw(t, in)
	return image.Parts
}

func marshal(t testing.TB, s llb.State) *bkllb.Definition {
	t.Helper()
	def, err := s.Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

func decode(t testing.TB, def *bkllb.Definition) graph.Graph {
	t.Helper()
	g, err := graph.Decode(def)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGraphOfEachVariant(t *testing.T) {
	for _, variant := range []string{"production", "minimal", "debug"} {
		t.Run(variant, func(t *testing.T) {
			_, def := draw(t, input(variant))
			checkGolden(t, variant, decode(t, def))
		})
	}
}

// checkGolden compares a graph with the accepted one.
func checkGolden(t *testing.T, name string, g graph.Graph) {
	t.Helper()
	got := g.Golden()
	path := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("graph differs from %s, -update accepts it (-want +got):\n%s", path, diff)
	}
}

func TestConfig(t *testing.T) {
	image, _ := draw(t, input("production"))
	created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	history := func(stage, what string) ocispec.History {
		return ocispec.History{Created: &created, CreatedBy: "lamina " + stage, Comment: what}
	}
	want := dockerspec.DockerOCIImage{Image: ocispec.Image{
		Created:  &created,
		Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ocispec.RootFS{Type: "layers"},
		History: []ocispec.History{
			history("runtime", "2 Debian packages"), history("wheels", "native"),
			history("model", "weights/0"), history("model", "weights/1"), history("app", "/app"),
		},
	}, Config: dockerspec.DockerOCIImageConfig{
		ImageConfig: ocispec.ImageConfig{
			User: "10001:10001", WorkingDir: "/app", StopSignal: "SIGTERM",
			Entrypoint:   []string{"python3", "/app/handler.py"},
			ExposedPorts: map[string]struct{}{"8000/tcp": {}},
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"LANG=C.UTF-8", "MODEL_PATH=/models/faceblend", "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
				"NVIDIA_VISIBLE_DEVICES=all", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "WORKERS=1",
			},
			Labels: map[string]string{
				"org.opencontainers.image.title": "faceblend", "org.opencontainers.image.version": "1.0",
				"org.opencontainers.image.licenses": "Apache-2.0",
			},
		},
	}}
	if diff := cmp.Diff(want, image.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// What an app doesn't say, the config doesn't say either.
func TestConfigOfLittle(t *testing.T) {
	in := input("production")
	in.App = &stages.App{Layer: packed("app"), Path: "/app"}
	got := func() ocispec.ImageConfig {
		image, _ := draw(t, in)
		c := image.Config.Config
		c.Env, c.Labels = nil, nil
		return c.ImageConfig
	}
	if diff := cmp.Diff(ocispec.ImageConfig{}, got()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	in.App = nil
	if diff := cmp.Diff(ocispec.ImageConfig{Cmd: []string{"/usr/bin/python3"}}, got()); diff != "" {
		t.Errorf("without an app (-want +got):\n%s", diff)
	}
}

// Labels, the health check and volumes are only in the config, not in the graph.
func TestConfigMovesNoLayer(t *testing.T) {
	for _, app := range []*stages.App{nil, input("production").App} {
		in := input("production")
		in.App = app
		_, before := draw(t, in)
		check := &dockerspec.HealthcheckConfig{Test: []string{"CMD", "true"}, Interval: time.Minute, Retries: 2}
		in.Labels = map[string]string{"org.opencontainers.image.title": "another", "a": ""}
		in.Healthcheck, in.Volumes = check, []string{"/v", "/w"}
		image, after := draw(t, in)
		if !bytes.Equal(bytes.Join(before.Def, nil), bytes.Join(after.Def, nil)) {
			t.Error("the graph is another one")
		}
		c := image.Config.Config
		want := map[string]string{
			"org.opencontainers.image.title": "another", "org.opencontainers.image.version": "1.0",
			"org.opencontainers.image.licenses": "Apache-2.0", "a": "",
		}
		if diff := cmp.Diff(want, c.Labels); diff != "" {
			t.Errorf("labels (-want +got):\n%s", diff)
		}
		if !cmp.Equal(c.Volumes, map[string]struct{}{"/v": {}, "/w": {}}) || c.Healthcheck != check {
			t.Errorf("volumes %v, check %+v", c.Volumes, c.Healthcheck)
		}
	}
}

// Root makes what packages make for one machine, and the app's user starts the app.
func TestConfigOfAFirstStart(t *testing.T) {
	in := input("production")
	in.App.FirstStart = true
	image, _ := draw(t, in)
	want := []string{"/usr/libexec/lamina/first-start", "--user", "app", "python3", "/app/handler.py"}
	if got := image.Config.Config; got.User != "" || !slices.Equal(got.Entrypoint, want) {
		t.Errorf("user %q starts %q", got.User, got.Entrypoint)
	}
	in.App.User = llb.User{}
	image, _ = draw(t, in)
	if got := image.Config.Config.Entrypoint; !slices.Equal(got, []string{want[0], want[3], want[4]}) {
		t.Errorf("root starts %q", got)
	}
}

// Each layer of Debian packages is compared with itself, as in the image.
func TestDifferences(t *testing.T) {
	found, err := stages.Differences(input("debug"), "again")
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, []string{"debug", "runtime"}) {
		t.Errorf("compared are %q", names)
	}
	if _, err := stages.Differences(stages.Input{Name: "x"}, "again"); err == nil {
		t.Error("an image of nothing is compared")
	}
}

// An app may consist only of packages, with the account that one of them makes.
func TestAppOfPackages(t *testing.T) {
	in := input("production")
	layers := in.Layers()
	in.App = &stages.App{Path: "/app", User: llb.User{Name: "postgres"}, Workdir: "/", Entrypoint: []string{"/usr/bin/postgres"}}
	if in.Layers() != layers-1 {
		t.Errorf("%d layers, want one less than %d", in.Layers(), layers)
	}
	image, def := draw(t, in)
	if c := image.Config.Config; c.User != "postgres" || c.WorkingDir != "/" || !slices.Equal(c.Entrypoint, in.App.Entrypoint) {
		t.Errorf("config %+v", c)
	}
	for _, v := range decode(t, def).Vertices {
		e := v.Op.GetExec()
		if e == nil || !strings.HasPrefix(v.Name, "smoke: entrypoint") {
			continue
		}
		if e.Meta.User != "postgres" || slices.ContainsFunc(e.Mounts, func(m *pb.Mount) bool { return m.Dest == "/app" }) {
			t.Errorf("%s runs as %q with %v", v.Name, e.Meta.User, e.Mounts)
		}
	}
}

// For third parties' packages, every library has to be there.
func TestPackagesOfThirdParties(t *testing.T) {
	for name, tt := range map[string]struct {
		suites []string
		base   string // the repository of the base
		want   string
	}{
		"Debian and another": {[]string{"bookworm"}, "debian", `"third_party":["libcuda"]`},
		"another's base":     {[]string{"bookworm"}, "cuda", `"third_party":["dpkg","libcuda"]`},
		"no Debian at all":   {nil, "cuda", `"third_party":[]`},
	} {
		in := input("production")
		in.Mirrors = llb.Mirrors{"debian": "http://deb.example", "cuda": "http://cuda.example"}
		in.Lock.Suites, in.Lock.Repositories = tt.suites, []lock.Repository{{Name: "cuda"}}
		in.Lock.Packages = []lock.Package{
			{Name: "dpkg", Repository: tt.base, SHA256: digest.FromString("dpkg").Encoded(), For: []lock.Set{{Kind: lock.SetBase}, {Kind: lock.SetBuilder}, {Kind: lock.SetRuntime}}},
			{Name: "libcuda", Repository: "cuda", SHA256: digest.FromString("libcuda").Encoded(), For: []lock.Set{{Kind: lock.SetRuntime}}},
		}
		_, def := draw(t, in)
		if !strings.Contains(fmt.Sprintf("%q", slices.Concat(def.Def...)), strings.ReplaceAll(tt.want, `"`, `\"`)) {
			t.Errorf("%s: no options with %s", name, tt.want)
		}
	}
}

// Maps are iterated in random order: the same result twice would be luck.
func TestGraphIsTheSameEachTime(t *testing.T) {
	_, first := draw(t, input("debug"))
	for range 25 {
		if _, again := draw(t, input("debug")); !slices.EqualFunc(first.Def, again.Def, bytes.Equal) {
			t.Fatal("the same input gave another graph")
		}
	}
}

// A change moves only the named layers.
func TestChangeMovesItsOwnLayers(t *testing.T) {
	another := digest.FromString("another").Encoded()
	further := lock.Package{Name: "libx", Repository: "debian", Path: "pool/libx_1_amd64.deb", SHA256: another}
	for name, tt := range map[string]struct {
		change func(*stages.Input)
		moves  []string
	}{
		"app":              {func(in *stages.Input) { in.App.Layer = packed("app 2") }, []string{"app /app"}},
		"one weights file": {func(in *stages.Input) { in.Models[0].Weights[1] = weights("weights/2") }, []string{"model weights/2"}},
		"native source":    {func(in *stages.Input) { in.Sources[0].Layer = packed("native 2") }, []string{"wheels native 2"}},
		"further package of the runtime": {func(in *stages.Input) {
			further.For = []lock.Set{lock.ParseSet("runtime")}
			in.Lock.Packages = append(in.Lock.Packages, further)
		}, []string{"runtime 3 Debian packages"}},
		"further package of the builder": {func(in *stages.Input) {
			further.For = []lock.Set{lock.ParseSet("builder")}
			in.Lock.Packages = append(in.Lock.Packages, further)
		}, []string{"wheels native"}},
		"another package of the builder": {func(in *stages.Input) { in.Lock.Packages[1].SHA256 = another }, []string{"wheels native"}},
		"another package of both":        {func(in *stages.Input) { in.Lock.Packages[3].SHA256 = another }, []string{"runtime 2 Debian packages", "wheels native"}},
		"what the runtime leaves out":    {func(in *stages.Input) { in.Exclude = llb.Exclude{"/usr/share/info/**"} }, []string{"runtime 2 Debian packages"}},
		"keys of packages that stay":     {func(in *stages.Input) { in.Keep = llb.Exclude{"/etc/ssh/*"} }, []string{"runtime 2 Debian packages"}},
		"keys elsewhere that stay":       {func(in *stages.Input) { in.Keep = llb.Exclude{"/app/tests/*.pem"} }, nil},
		"user of the app":                {func(in *stages.Input) { in.App.User.UID++ }, []string{"runtime 2 Debian packages"}},
		"what starts first":              {func(in *stages.Input) { in.App.FirstStart = true }, []string{"runtime 2 Debian packages"}},
		"label":                          {func(in *stages.Input) { in.Version = "2.0" }, nil},
		"environment":                    {func(in *stages.Input) { in.App.Env = map[string]string{"A": "b"} }, nil},
		"smoke test":                     {func(in *stages.Input) { in.Smoke.Imports = []string{"math"} }, nil},
		"date of the release":            {func(in *stages.Input) { in.Lock.Releases[0].Date = in.Lock.Releases[0].Date.AddDate(0, 0, 1) }, nil},
		"another mirror":                 {func(in *stages.Input) { in.Mirrors["debian"] = "http://mirror.example/debian" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			after := input("production")
			tt.change(&after)
			if diff := cmp.Diff(tt.moves, moved(t, input("production"), after)); diff != "" {
				t.Errorf("layers that moved (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVariantsShareTheirLayers(t *testing.T) {
	layers := func(variant string) (list []string) {
		for _, p := range parts(t, input(variant)) {
			list = append(list, key(t, p))
		}
		return list
	}
	production := layers("production")
	for variant, more := range map[string]int{"minimal": 0, "debug": 1} {
		own := 0
		for _, l := range layers(variant) {
			if !slices.Contains(production, l) {
				own++
			}
		}
		if own != more {
			t.Errorf("%s has %d layers of its own, want %d", variant, own, more)
		}
	}
}

// No exec of a build has a network, a credential, access to an agent, or a directory that
// other builds share. The graphs of a lock are tested in internal/resolve.
func TestEveryExecIsSealed(t *testing.T) {
	for name, in := range map[string]stages.Input{
		"production": input("production"), "minimal": input("minimal"), "debug": input("debug"),
		"published": published(), "wheels": withWheels(), "tree": withTree(),
	} {
		t.Run(name, func(t *testing.T) {
			_, def := draw(t, in)
			execs := 0
			for _, v := range decode(t, def).Vertices {
				e := v.Op.GetExec()
				if e == nil {
					continue
				}
				execs++
				if e.Network != pb.NetMode_NONE || e.Security != pb.SecurityMode_SANDBOX || len(e.Secretenv) > 0 {
					t.Errorf("%s: network %s, security %s, secrets %v", v.Name, e.Network, e.Security, e.Secretenv)
				}
				for _, m := range e.Mounts {
					if m.MountType != pb.MountType_BIND && m.MountType != pb.MountType_TMPFS {
						t.Errorf("%s: it has a mount of type %s at %s", v.Name, m.MountType, m.Dest)
					}
				}
			}
			if execs < 5 {
				t.Errorf("only %d execs seen: this test checks the wrong thing", execs)
			}
		})
	}
}

func TestEverySourceIsPinned(t *testing.T) {
	_, def := draw(t, input("debug"))
	sources := 0
	for _, v := range decode(t, def).Vertices {
		s := v.Op.GetSource()
		if s == nil {
			continue
		}
		sources++
		pinned := strings.Contains(s.Identifier, "@sha256:") || strings.HasPrefix(s.Attrs[pb.AttrHTTPChecksum], "sha256:")
		if !pinned || strings.HasPrefix(s.Identifier, "local://") {
			t.Errorf("%s: source %s is not pinned by digest", v.Name, s.Identifier)
		}
	}
	if sources < 9 {
		t.Errorf("only %d sources seen: this test checks the wrong thing", sources)
	}
}

// Packages that remove files of the runtime are in one layer with it, the copy of the resulting
// root file system.
func TestWhatTakesAwayHasNoSharedLayer(t *testing.T) {
	in := input("debug")
	in.Apart = true
	image, _ := draw(t, in)
	stages := make([]string, 0, 2)
	for _, p := range image.Parts[:2] {
		stages = append(stages, p.Stage)
	}
	if stages[0] != "runtime" || slices.Contains(stages, "debug") || image.Parts[0].Layers[0].What != "3 Debian packages" {
		t.Errorf("the first parts are %q: %+v", stages, image.Parts[0].Layers)
	}
}

// Anything that used the merged image would make the engine pull all its layers.
func TestNothingUsesTheImage(t *testing.T) {
	_, def := draw(t, input("debug"))
	g := decode(t, def)
	image := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Name == "image" })
	if image < 0 {
		t.Fatal("no vertex is called image")
	}
	for _, v := range g.Vertices {
		uses := slices.ContainsFunc(v.Inputs, func(in graph.Input) bool { return in.Vertex == image })
		if uses && v.Kind != graph.Passthrough {
			t.Errorf("%s %q uses the merged image", v.Kind, v.Name)
		}
	}
}

func TestSmokeLevels(t *testing.T) {
	names := func(level stages.Level) (list []string) {
		in := input("production")
		in.Smoke.Level = level
		_, def := draw(t, in)
		for _, v := range decode(t, def).Vertices {
			if v.Kind == graph.Exec && strings.HasPrefix(v.Name, "smoke: ") {
				list = append(list, strings.Fields(v.Name)[1])
			}
		}
		slices.Sort(list)
		return list
	}
	for level, want := range map[stages.Level][]string{
		stages.SmokeAll:     {"entrypoint", "import", "libraries", "requirements", "run"},
		stages.SmokeRuntime: {"import", "libraries", "requirements"},
		stages.SmokeOff:     nil,
	} {
		if diff := cmp.Diff(want, names(level)); diff != "" {
			t.Errorf("tests of level %s (-want +got):\n%s", level, diff)
		}
	}
}

// Commands that need a GPU are drawn only if the engine has one.
func TestSmokeTestsOnAGPU(t *testing.T) {
	for _, devices := range [][]string{nil, {"nvidia.com/gpu=all"}, {"nvidia.com/gpu=0", "nvidia.com/gpu=1"}} {
		in := input("production")
		in.Smoke.GPU, in.Smoke.Devices = [][]string{{"nvidia-smi"}}, devices
		_, def := draw(t, in)
		var got []string
		for _, v := range decode(t, def).Vertices {
			for _, d := range v.Op.GetExec().GetCdiDevices() {
				if v.Name != "smoke: run nvidia-smi" {
					t.Errorf("%s has %s", v.Name, d.Name)
				}
				got = append(got, d.Name)
			}
		}
		if !slices.Equal(got, devices) {
			t.Errorf("the devices are %q, want %q", got, devices)
		}
	}
}

func TestNewReportsAllThatIsMissing(t *testing.T) {
	in := input("production")
	in.Lock.Packages, in.Mirrors, in.Tools = in.Lock.Packages[1:2], nil, llb.Layer{}
	_, err := stages.New(in)
	for _, want := range []string{
		`drawing image "faceblend": `, "the lock has no packages for base", "the lock has no packages for runtime",
		`no mirror serves repository "debian"`, "the tools that unpack the base are missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func BenchmarkGraphOfThousandSources(b *testing.B) {
	in := input("production")
	for i := range 1000 {
		name := fmt.Sprintf("package%d", i)
		in.Lock.Packages = append(in.Lock.Packages, lock.Package{
			Name: name, Repository: "debian", Path: "pool/" + name + ".deb", SHA256: digest.FromString(name).Encoded(), For: []lock.Set{lock.ParseSet("runtime")},
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		draw(b, in)
	}
}

func Example() {
	image, err := stages.New(input("production"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, part := range image.Parts {
		for _, layer := range part.Layers {
			fmt.Println(part.Stage, "-", layer.What)
		}
	}
	// Output:
	// runtime - 2 Debian packages
	// wheels - native
	// model - weights/0
	// model - weights/1
	// app - /app
}
