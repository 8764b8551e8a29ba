package real

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/container"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/lock"
)

// selected matches uv's output about a file that it has chosen.
var selected = regexp.MustCompile(`(?m)^DEBUG Selecting: \S+ \[\w+\] \((\S+\.whl)\)$`)

// choosesAsUV lets "uv pip install" choose files for the versions of a lock, for an image's
// own Python and from PyPI, and compares them with the locked ones.
func choosesAsUV(t *testing.T, l lock.Lock, set lock.Set) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start containers")
	}
	var lines, want []string
	for _, d := range l.Distributions {
		if slices.Contains(d.For, set) && d.IsWheel() && d.Index != "" {
			lines = append(lines, d.Name+"=="+d.Version)
			want = append(want, d.File)
		}
	}
	m := machine(t, e2etest.PythonProject(t, "", nil))
	for name, data := range map[string][]byte{"uv": e2etest.UV(t, l), "requirements.txt": []byte(strings.Join(lines, "\n"))} {
		if err := os.WriteFile(filepath.Join(m.Root, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c, err := m.Exec(append(trust(t, m), "HOME=/tmp"), "/uv", "pip", "install", "--dry-run", "--no-deps", "--no-cache", "--target", "/tmp/none", "-v", "-r", "/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Remove)
	if code, err := c.Wait(3 * time.Minute); err != nil || code != 0 {
		t.Fatalf("uv exits with %d, %v:\n%s", code, err, e2etest.Tail(c.Output()))
	}
	var got []string
	for _, found := range selected.FindAllStringSubmatch(c.Output(), -1) {
		got = append(got, found[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(got, want); diff != "" || len(want) == 0 {
		t.Errorf("what uv would install, and the %d locked files (-uv +locked):\n%s", len(want), diff)
	}
}

// machine builds the image of a project, and unpacks it to run.
func machine(t *testing.T, dir string) *container.Machine {
	t.Helper()
	u := e2etest.NewUser(t)
	u.Build(t, dir)
	layout, image := u.Image(t, "production")
	m, err := container.New(t.Context(), enginetest.Runc(t), layout, image, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trust lets a container reach what this machine reaches: with its resolver, its proxies and
// its trusted authorities.
func trust(t *testing.T, m *container.Machine) []string {
	t.Helper()
	bundle := "/etc/ssl/certs/ca-certificates.crt"
	if own := os.Getenv("SSL_CERT_FILE"); own != "" {
		bundle = own
	}
	for from, to := range map[string]string{"/etc/resolv.conf": "etc/resolv.conf", "/etc/hosts": "etc/hosts", bundle: "authorities.pem"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, filepath.Join(m.Root, to), data)
	}
	env := []string{"SSL_CERT_FILE=/authorities.pem"}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "UV_DEFAULT_INDEX"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
