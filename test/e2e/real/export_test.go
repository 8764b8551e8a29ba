package real

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// Other tools read an exported lock: uv, pip and PDM install exactly the locked versions. The
// image that they run in is made from the same lock.
func TestRealExportIsReadByOthers(t *testing.T) {
	t.Parallel()
	testworld.RealPyPI(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can start containers")
	}
	u := e2etest.NewUser(t)
	dir := e2etest.PythonProject(t, "[python]\nrequirements = [\"requirements.txt\"]\n", map[string]string{
		// PDM 2.29.4 can't run with current versions of hishel.
		"requirements.txt": "uv==0.13.9\npip==26.1\npdm==2.29.4\nhishel==1.4.0\n",
	})
	u.Build(t, "lock", dir, "--export", filepath.Join(dir, "pylock.toml"))
	m := machine(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, "pylock.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, d := range e2etest.ReadLock(t, dir).PythonIn("") {
		want = append(want, d.Name+"=="+d.Version)
	}
	slices.Sort(want)
	if err := os.Mkdir(filepath.Join(m.Root, "tmp/export"), 0o755); err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(m.Root, "tmp/export/pylock.toml"), text)
	e2etest.Write(t, filepath.Join(m.Root, "tmp/export/pyproject.toml"), []byte("[project]\nname = \"export\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"pdm\", \"pip\", \"uv\"]\n"))
	env := append(trust(t, m), "HOME=/tmp", "PIP_ROOT_USER_ACTION=ignore", "PIP_CERT=/authorities.pem", "PDM_CHECK_UPDATE=0")
	for name, install := range map[string]string{
		"uv":  "uv pip sync --target /tmp/uv /tmp/export/pylock.toml && cd /tmp/uv",
		"pip": "python3 -m pip install --target /tmp/pip -r /tmp/export/pylock.toml && cd /tmp/pip",
		"PDM": "cd /tmp/export && pdm config --local lock.format pylock && pdm config --local python.use_venv false && pdm sync --no-self && cd __pypackages__/3.11/lib",
	} {
		t.Run(name, func(t *testing.T) {
			const list = ` && python3 -c 'import importlib.metadata as m, re; print(*("locked " + re.sub("[-_.]+", "-", d.name).lower() + "==" + d.version for d in m.distributions(path=["."])), sep="\n")'`
			c, err := m.Exec(env, "sh", "-ec", install+list)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Remove)
			if code, err := c.Wait(3 * time.Minute); err != nil || code != 0 {
				t.Fatalf("it exits with %d, %v:\n%s", code, err, e2etest.Tail(c.Output()))
			}
			var got []string
			for line := range strings.Lines(c.Output()) {
				if found, ok := strings.CutPrefix(strings.TrimSpace(line), "locked "); ok {
					got = append(got, found)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("installed %v, locked %v", got, want)
			}
		})
	}
}
