package pushes

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A gigabyte is pushed to a registry that is restarted once: what it has is not sent again,
// whether the client has the layers, as those of weights, or the engine.
func TestRealPushOfAGigabyteThroughARestart(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "pushes" {
		t.Skip("LAMINA_REAL=pushes pushes a gigabyte, twice")
	}
	const part, parts = 256 << 20, 4
	for name, project := range map[string]func(*testing.T, *e2etest.User) string{
		"weights": func(t *testing.T, u *e2etest.User) string {
			hub, files := testworld.New(t).Hub(testworld.HubOptions{}), map[string]testworld.HubFile{}
			for i := range parts {
				files[fmt.Sprintf("%d.bin", i)] = testworld.Large(testworld.Generated(rand.Uint64(), part))
			}
			hub.Repo("acme/tiny", testworld.HubRepoOptions{}).Commit(files)
			u.Env = []string{"HF_ENDPOINT=" + hub.Endpoint}
			dir := e2etest.PythonProject(t, "[[model]]\nfrom = \"hf://acme/tiny@main\"\npath = \"/models/tiny\"\n", nil)
			u.Build(t, "lock", dir)
			u.Build(t, "model", "pull", filepath.Join(u.Cache, "lamina", "models"), "--spec", dir)
			return dir
		},
		"app": func(t *testing.T, u *e2etest.User) string {
			dir := e2etest.PythonProject(t, "[app]\nsource = \"app\"\npath = \"/app\"\nentrypoint = [\"python3\"]\n", map[string]string{"app/main.py": ""})
			f, err := os.Create(filepath.Join(dir, "app", "data"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), part*parts); err != nil {
				t.Fatal(err)
			}
			u.Build(t, "lock", dir)
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, r := e2etest.NewUser(t), testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
			u.Cache = t.TempDir()
			dir := project(t, u)
			addr, restart := restarting(t, r.Host)
			restarted := make(chan struct{})
			go func() {
				defer close(restarted)
				for r.Received() < part*parts/2 && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				if t.Context().Err() == nil {
					restart(12 * time.Second)
				}
			}()
			run := u.Build(t, dir, "-t", addr+"/app:1", "--push", "--insecure-registry", "--smoke", "off", "--progress", "quiet")
			var image struct{ Layers []struct{ Size int64 } }
			<-restarted
			if err := json.Unmarshal(r.Manifest("app", "1"), &image); err != nil {
				t.Fatalf("the registry has no image: %v\n%s", err, e2etest.Tail(run.Stderr))
			}
			var size int64
			for _, layer := range image.Layers {
				size += layer.Size
			}
			twice := r.Received() - size
			t.Logf("of %d bytes %d were sent twice", size, twice)
			if size < part*parts || twice > size/10 {
				t.Error("that is more than a tenth, or no gigabyte")
			}
		})
	}
}
