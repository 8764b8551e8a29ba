package lamina

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/output"
)

// What no build can mean is told before anything is done.
func TestFaultsOfBuilds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "image.toml"), []byte("name = \"x\"\n[debian]\npackages = [\"bash\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(dir, Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	_, err = p.Build(t.Context(), Build{Smoke: "Off", Outputs: []output.Output{{Type: output.Docker, Dest: output.Stdout, Tar: true}, {}}})
	for _, want := range []string{`smoke level "Off"`, "there is no Stdout", "an output has no type"} {
		if KindOf(err) != Usage || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestErrorsTellThatTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := failure.New(failure.Transient, errors.New("rpc error: canceled"))
	if err := ended(ctx, failed); !errors.Is(err, failed) || errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	cancel()
	if err := ended(ctx, failed); !errors.Is(err, context.Canceled) || !errors.Is(err, failed) {
		t.Errorf("after: %v", err)
	}
	if err := ended(ctx, nil); err != nil {
		t.Error(err)
	}
}

// The cache folder is found without an environment, and may be named from here.
func TestCacheFolder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/the/cache")
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "/the/cache/lamina"},
		{Options{CacheDir: "/named"}, "/named"},
		{Options{Env: func(name string) string { return map[string]string{"HOME": "/home/ada"}[name] }}, "/home/ada/.cache/lamina"},
	} {
		if h, err := newHost(tt.o); err != nil || h.cacheDir != tt.want {
			t.Errorf("got %v, %v, want %s", h, err, tt.want)
		}
	}
	if h, err := newHost(Options{CacheDir: "here"}); err != nil || !filepath.IsAbs(h.cacheDir) {
		t.Errorf("got %v, %v", h, err)
	}
}
