package peers

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// A peer is a program of others, compiled from the Go module that its makers publish.
type peer struct {
	module, version string
	command         string   // its package below the module
	env             []string // for the compiler
}

func peers() map[string]peer {
	return map[string]peer{
		"buildx": {"github.com/docker/buildx", "v0.38.2", "cmd/buildx", nil},
		"cosign": {"github.com/sigstore/cosign/v3", "v3.1.3", "cmd/cosign", nil},
		"oras":   {"oras.land/oras", "v1.3.6", "cmd/oras", nil},
		"syft":   {"github.com/anchore/syft", "v1.57.1", "cmd/syft", nil},
		"trivy":  {"github.com/aquasecurity/trivy", "v0.74.0", "cmd/trivy", []string{"GOEXPERIMENT=jsonv2"}},
	}
}

// program is a peer that runs in a directory with a home of its own.
type program struct{ dir, path string }

// newProgram compiles a peer once for this machine; another of its versions is another program.
func newProgram(t *testing.T, name string) program {
	t.Helper()
	p, cache := peers()[name], filepath.Join(filepath.Dir(e2etest.NewUser(t).Cache), "peers")
	kept := filepath.Join(cache, name+"-"+p.version)
	if _, err := os.Stat(kept); err == nil {
		return program{t.TempDir(), kept}
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // a module of its own, since "go install" takes no module that replaces others
	pkg := path.Join(p.module, p.command)
	for _, args := range [][]string{
		{"mod", "init", "peer.test"},
		{"get", "-tool", pkg + "@" + p.version},
		{"build", "-trimpath", "-o", kept + ".new", pkg},
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), p.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, e2etest.Tail(string(out)))
		}
	}
	if err := os.Rename(kept+".new", kept); err != nil {
		t.Fatal(err)
	}
	return program{t.TempDir(), kept}
}

// run returns what a peer prints, on the standard output alone.
func (p program) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.path, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "DOCKER_CONFIG="+p.dir, "COSIGN_PASSWORD="+e2etest.Secret,
		"SYFT_CHECK_FOR_APP_UPDATE=false", "SYFT_REGISTRY_INSECURE_USE_HTTP=true")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s %s: %v\n%s", filepath.Base(p.path), strings.Join(args, " "), err, e2etest.Tail(problem.String()))
	}
	return string(out), err
}

// must is a run that succeeds.
func (p program) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.run(t, args...)
	if err != nil {
		t.Fatalf("%s\n%s", err, e2etest.Tail(out))
	}
	return out
}
