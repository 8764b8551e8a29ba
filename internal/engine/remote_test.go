package engine_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func lookup(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestGivenEngine(t *testing.T) {
	_, same := serve(t, fakeEngine{version: engine.Version, snapshotter: "overlayfs"})
	_, other := serve(t, fakeEngine{version: "v0.31.2", snapshotter: "native"})
	_, silent := serve(t, fakeEngine{version: "v0.0.0+unknown", snapshotter: "overlayfs"})
	tests := []struct {
		name string
		addr string
		same bool
		says []string
	}{
		{"our version", same, true, nil},
		{"another version and a slow snapshotter", other, false, []string{"it is BuildKit v0.31.2", "native"}},
		{"no version", silent, false, []string{"does not report its version"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var said []string
			e, err := engine.Open(t.Context(), engine.Options{
				Env:      lookup(map[string]string{"BUILDKIT_HOST": tt.addr}),
				Progress: func(line string) { said = append(said, line) },
				Need:     engine.Need{Platform: "linux/amd64", Disk: map[string]int64{"a": 1 << 20}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer closeEngine(t, e)
			if e.Kind != engine.Given || e.Addr != tt.addr || e.Same != tt.same {
				t.Errorf("got a %s engine at %s, same %t", e.Kind, e.Addr, e.Same)
			}
			if len(said) != len(tt.says) {
				t.Fatalf("got %q said, want %q", said, tt.says)
			}
			for i, want := range tt.says {
				if !strings.Contains(said[i], want) {
					t.Errorf("got %q said, want %q in it", said[i], want)
				}
			}
		})
	}
}

func TestGivenEngineThatWillNotDo(t *testing.T) {
	_, old := serve(t, fakeEngine{version: "v0.30.1", snapshotter: "native"})
	tests := []struct {
		name string
		addr string
		kind failure.Kind
		want []string
	}{
		{
			"too old, too slow and of another platform: all at once", old, failure.NoEngine,
			[]string{old, "version is v0.30.1", "v0.31.2 or newer", "native", "cannot run linux/arm64, only [linux/amd64]"},
		},
		{"nobody there", "unix:///nowhere/buildkitd.sock", failure.NoEngine, []string{"/nowhere/buildkitd.sock"}},
		{"port closed", "tcp://127.0.0.1:1", failure.NoEngine, []string{"tcp://127.0.0.1:1", "refused"}},
		{"no scheme", "/run/buildkit.sock", failure.Usage, []string{"not the address of an engine"}},
		{"unknown scheme", "http://example.com", failure.Usage, []string{"not the address of an engine"}},
		{"scheme alone", "unix://", failure.Usage, []string{"not the address of an engine"}},
		{"rubbish", "tcp://%zz", failure.Usage, []string{"not the address of an engine"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := engine.Open(t.Context(), engine.Options{
				Where: engine.Where{Addrs: []string{tt.addr}}, Need: engine.Need{Platform: "linux/arm64", Disk: map[string]int64{"a": 10 << 30}},
			})
			if err == nil {
				t.Fatal("it was opened")
			}
			if got := failure.KindOf(err); got != tt.kind {
				t.Errorf("got kind %d of %v, want %d", got, err, tt.kind)
			}
			if len(failure.Hints(err)) == 0 {
				t.Errorf("%v has no hint", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestStandardSocketThatPasses(t *testing.T) {
	if _, err := os.Stat("/run/buildkit/buildkitd.sock"); err == nil {
		t.Skip("this machine has a system-wide buildkitd, which comes first")
	}
	dir, addr := serve(t, fakeEngine{version: engine.Version, snapshotter: "overlayfs"})
	e, err := engine.Open(t.Context(), engine.Options{Env: lookup(map[string]string{"XDG_RUNTIME_DIR": dir})})
	if err != nil {
		t.Fatal(err)
	}
	defer closeEngine(t, e)
	if e.Kind != engine.Found || e.Addr != addr || !e.Same {
		t.Errorf("got a %s engine at %s, same %t", e.Kind, e.Addr, e.Same)
	}
}

func TestStandardSocketThatIsPassedOver(t *testing.T) {
	o := options(t)
	old, _ := serve(t, fakeEngine{version: "v0.12.0", snapshotter: "overlayfs"})
	silent, _ := serve(t, fakeEngine{version: "v0.0.0+unknown", snapshotter: "overlayfs"})
	dead := t.TempDir()
	mkdir(t, filepath.Join(dead, "buildkit", "buildkitd.sock"))
	for name, dir := range map[string]string{
		"version is v0.12.0": old, "does not report its version": silent, "connection refused": dead,
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			o.PrivateOnly = false
			o.Env = lookup(map[string]string{"XDG_RUNTIME_DIR": dir})
			o.Progress = func(line string) { said = append(said, line) }
			e := open(t, o)
			defer closeEngine(t, e)
			all := strings.Join(said, "\n")
			if e.Kind != engine.Private || !strings.Contains(all, "skipping the engine") || !strings.Contains(all, name) {
				t.Errorf("got a %s engine and %q said", e.Kind, all)
			}
		})
	}
}

func TestUnfit(t *testing.T) {
	worker := &client.WorkerInfo{
		Labels:    map[string]string{"org.mobyproject.buildkit.worker.snapshotter": "overlayfs"},
		Platforms: []ocispec.Platform{{OS: "linux", Architecture: "arm64"}},
	}
	need := engine.Need{Platform: "linux/arm64", Disk: map[string]int64{"a": 5e9}}
	tests := []struct {
		name    string
		version string
		worker  *client.WorkerInfo
		free    int64
		want    string
	}{
		{"fits", "v0.34.2", worker, 6e9, ""},
		{"free space unknown", "v0.31.2-rc1", worker, -1, ""},
		{"disk too small", "v0.34.2", worker, 1e9, "has 1.0 GB free; this build needs 5.0 GB"},
		{"no worker", "v0.34.2", nil, -1, "no worker"},
		{"too old", "0.30.9", worker, -1, "its version is 0.30.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := engine.Unfit(tt.version, tt.worker, tt.free, need)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNeedThatOverflows(t *testing.T) {
	need := engine.Need{Disk: map[string]int64{"a": math.MaxInt64, "b": math.MaxInt64, "c": 1}}
	if got := need.Bytes(); got != math.MaxInt64 {
		t.Errorf("it needs %d bytes", got)
	}
}

func TestParseVersion(t *testing.T) {
	tests := []struct {
		in   string
		want [3]int
		ok   bool
	}{
		{"v0.34.2", [3]int{0, 34, 2}, true},
		{"0.31.0-rc1", [3]int{0, 31, 0}, true},
		{"v0.12.5+d4ab", [3]int{0, 12, 5}, true},
		{"v1.0", [3]int{1, 0, 0}, true},
		{"v0.0.0+unknown", [3]int{}, false},
		{"", [3]int{}, false},
		{"dev", [3]int{}, false},
		{"v1.2.3.4", [3]int{}, false},
		{"v1.-2.3", [3]int{1}, false},
	}
	for _, tt := range tests {
		if got, ok := engine.ParseVersion(tt.in); ok != tt.ok || (ok && got != tt.want) {
			t.Errorf("ParseVersion(%q) = %v, %t, want %v, %t", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// An engine bound to a platform is only for that platform, which then uses no other; other
// platforms have the rest.
func TestEnginesByPlatform(t *testing.T) {
	own := []string{"linux/arm64=tcp://a:1", "tcp://b:1", "unix:///c", "linux/arm64=tcp://d:1"}
	for _, tt := range []struct {
		addrs    []string
		platform string
		want     string
	}{
		{own, "linux/arm64", "tcp://a:1 tcp://d:1"},
		{own, "linux/arm64/v8", "tcp://a:1 tcp://d:1"},
		{own, "linux/amd64", "tcp://b:1 unix:///c"},
		{own, "", "tcp://a:1 tcp://b:1 unix:///c tcp://d:1"},
		{own[:1], "linux/amd64", ""},
		{own[1:3], "linux/arm64", "tcp://b:1 unix:///c"},
	} {
		got, err := engine.Addresses(engine.Where{Addrs: tt.addrs}, tt.platform)
		if text := strings.Join(got, " "); err != nil || text != tt.want {
			t.Errorf("%v for %q: got %q, %v, want %q", tt.addrs, tt.platform, text, err, tt.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for addr, fits := range map[string]bool{
		"unix:///run/buildkit/buildkitd.sock": true, "tcp://builder.example:1234": true, "docker-container://buildkitd": true, "ssh://me@host": true, "tcp://[::1]:1234?a=b": true,
		"": false, "unix://": false, "tcp:": false, "builder.example:1234": false, "/run/buildkit/buildkitd.sock": false, "https://builder.example": false, "tcp://a b": false, "tcp://builder.example": false, "tcp://[::1]": false,
		"linux/arm64=tcp://builder.example:1234": true, "linux/arm64=unix:///a": true,
		"linux/arm64=builder.example": false, "arm64=tcp://a:1": false, "linux/arm64/v8/x=tcp://a:1": false, "=tcp://a:1": false,
	} {
		err := engine.Where{Addrs: []string{addr}}.Check()
		if (err == nil) != fits || err != nil && (failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) != 1) {
			t.Errorf("%q: %v", addr, err)
		}
	}
	two := engine.Where{Addrs: []string{"unix:///a"}, Builder: "b"}
	if err := two.Check(); failure.KindOf(err) != failure.Usage {
		t.Errorf("an address and a builder: %v", err)
	}
}
