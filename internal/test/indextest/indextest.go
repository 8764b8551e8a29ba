// Package indextest publishes an index of images for two platforms without an emulator. The
// images have only files that the client packs, so an engine that runs one of the platforms
// exports the other, too.
package indextest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamina.build"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

// Platforms are those of the index.
func Platforms() []string { return []string{"linux/amd64", "linux/arm64"} }

// Project has a spec for both platforms, and a lock whose packages for the second are those of
// the first under another name.
type Project struct {
	Dir      string
	Progress lamina.Progress // nil for none

	user *e2etest.User
	addr string // of the engine that claims to run the second platform
	lock lock.Lock
}

// New makes a project with an app.
func New(t *testing.T, u *e2etest.User) Project {
	t.Helper()
	dir := e2etest.Small(t)
	one := e2etest.ReadLock(t, dir)
	other := one
	other.Platform, other.Packages = Platforms()[1], slices.Clone(one.Packages)
	if one.Platform != Platforms()[0] {
		t.Skipf("the tests' engine is for %s", one.Platform)
	}
	for i := range other.Packages {
		p := &other.Packages[i]
		p.Architecture = strings.Replace(p.Architecture, "amd64", "arm64", 1)
		p.Path = strings.ReplaceAll(p.Path, "_amd64.deb", "_arm64.deb")
	}
	l := lock.Join([]lock.Lock{one, other})
	l.Sort()
	file := filepath.Join(dir, "image.toml")
	text, err := os.ReadFile(file) //nolint:gosec // our own
	if err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, file, append([]byte("platform = [\""+strings.Join(Platforms(), `", "`)+"\"]\n"), text...))
	there := enginetest.StartRemote(t, enginetest.FreePort(t, "127.0.0.1"), nil, nil, "--oci-worker-platform", Platforms()[1])
	return Project{Dir: dir, user: u, addr: there.Addr, lock: l}
}

// Build builds the index as a program does, with the user's variables.
func (p Project) Build(ctx context.Context, t *testing.T, b lamina.Build) (made lamina.Made, err error) {
	t.Helper()
	project := p.open(t)
	defer func() { err = errors.Join(err, project.Close()) }()
	b.Lock, b.Smoke = &p.lock, stages.SmokeOff
	if b.Draw == nil {
		b.Draw = Draw
	}
	return project.Build(ctx, b)
}

// Verify rebuilds the index as a program does.
func (p Project) Verify(ctx context.Context, t *testing.T, name string, o lamina.VerifyImageOptions) (v lamina.Verified, err error) {
	t.Helper()
	project := p.open(t)
	defer func() { err = errors.Join(err, project.Close()) }()
	if o.Draw == nil {
		o.Draw = Draw
	}
	return project.VerifyImage(ctx, name, o)
}

func (p Project) open(t *testing.T) *lamina.Project {
	t.Helper()
	env := map[string]string{"XDG_CACHE_HOME": p.user.Cache, "BUILDKIT_HOST": p.user.Addr}
	for _, v := range p.user.Env {
		key, value, _ := strings.Cut(v, "=")
		env[key] = value
	}
	project, err := lamina.Open(p.Dir, lamina.Options{
		Engines: []string{Platforms()[1] + "=" + p.addr}, Insecure: true, Progress: p.Progress,
		Env: func(name string) string {
			if value, ok := env[name]; ok {
				return value
			}
			return os.Getenv(name) //nolint:forbidigo // a fixture is the edge of a test process
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// Draw draws only the app, which no step makes.
func Draw(in stages.Input) (stages.Image, error) {
	image, err := stages.New(in)
	if err != nil {
		return image, err
	}
	app := image.Parts[len(image.Parts)-1]
	image.Parts, image.State = []stages.Part{app}, llb.Merge("image", app.State)
	image.Config.History = image.Config.History[len(image.Config.History)-len(app.Layers):]
	return image, nil
}
