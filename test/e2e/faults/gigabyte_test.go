package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A gigabyte is pushed through a registry that is started anew once: what it has is not
// sent again. The layers of a model are sent by the client, which goes on within one; an
// engine begins those anew that it was at, of which there are four.
func TestRealPushOfAGigabyteThroughARestart(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "pushes" {
		t.Skip("LAMINA_REAL=pushes pushes gigabytes")
	}
	const part, parts = 256 << 20, 4
	for name, tt := range map[string]struct {
		project func(*testing.T, *e2etest.User) string
		most    float64 // of the bytes sent twice
	}{
		"a model": {func(t *testing.T, u *e2etest.User) string {
			t.Helper()
			hub := testworld.New(t).Hub(testworld.HubOptions{})
			files := map[string]testworld.HubFile{}
			for i := range parts {
				files[fmt.Sprintf("%d.bin", i)] = testworld.Large(testworld.Generated(rand.Uint64(), part))
			}
			hub.Repo("acme/tiny", testworld.HubRepoOptions{}).Commit(files)
			u.Env = []string{"HF_ENDPOINT=" + hub.Endpoint}
			u.Cache = t.TempDir()
			dir := e2etest.PythonProject(t, "[[model]]\nfrom = \"hf://acme/tiny@main\"\npath = \"/models/tiny\"\n", nil)
			u.Build(t, "lock", dir)
			u.Build(t, "model", "pull", filepath.Join(u.Cache, "lamina", "models"), "--spec", dir)
			return dir
		}, 0.1},
		"wheels": {func(t *testing.T, u *e2etest.User) string {
			t.Helper()
			var wheels []testworld.Distribution
			var lines []string
			for i := range 16 {
				w := testworld.Wheel{Name: fmt.Sprintf("part%d", i), Version: fmt.Sprintf("1.%d", rand.Uint32()), Size: part * parts / 16}
				wheels, lines = append(wheels, w), append(lines, w.Name)
			}
			x := testworld.New(t).Index(testworld.IndexOptions{Path: "simple"}, wheels...)
			dir := e2etest.Needs(t, append(lines, "--index-url "+x.URL)...)
			u.Build(t, "lock", dir)
			return dir
		}, 0.4},
	} {
		t.Run(name, func(t *testing.T) {
			u, r := e2etest.NewUser(t), testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
			dir := tt.project(t, u)
			addr, restart := restarting(t, r.Host)
			restarted := make(chan struct{})
			go func() {
				defer close(restarted)
				for r.Received() < part*parts/2 && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				if t.Context().Err() == nil {
					restart(12 * time.Second) // longer than an engine tries by itself
				}
			}()
			run := u.Build(t, dir, "-t", addr+"/app:1", "--push", "--insecure-registry", "--smoke", "off", "--progress", "quiet")
			if <-restarted; r.Manifest("app", "1") == nil {
				t.Fatalf("the registry has no image:\n%s", e2etest.Tail(run.Stderr))
			}
			size := bytesOf(t, r)
			twice := float64(r.Received()-size) / float64(size)
			t.Logf("%d bytes are sent, of %d: %.1f %% twice", r.Received(), size, 100*twice)
			if size < part*parts || twice > tt.most {
				t.Errorf("that is more than %.0f %%, or no gigabyte", 100*tt.most)
			}
		})
	}
}

// bytesOf are those of the layers of the image.
func bytesOf(t *testing.T, r *testworld.Registry) (sum int64) {
	t.Helper()
	var m struct{ Layers []struct{ Size int64 } }
	if err := json.Unmarshal(r.Manifest("app", "1"), &m); err != nil {
		t.Fatal(err)
	}
	for _, one := range m.Layers {
		sum += one.Size
	}
	return sum
}
