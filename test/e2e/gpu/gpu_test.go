package gpu

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// seen is the test of the image: it checks what a program with a GPU needs.
const seen = `import glob, os, stat

assert os.environ["NVIDIA_VISIBLE_DEVICES"] == "void", os.environ
assert open("/usr/lib/x86_64-linux-gnu/libcuda.so").read() == "the driver"
assert os.path.exists("/etc/ld.so.cache")
nodes = sorted(glob.glob("/dev/nvidia*"))
for node in nodes:
    assert stat.S_ISCHR(os.stat(node).st_mode), node
    open(node, "wb").write(b"x")
print("there are", *nodes)
`

const gpuTest = "smoke: run /usr/bin/python3 /app/seen.py"

// The tests of [smoke.gpu] run each time, on the engine's current devices, and nothing else
// runs again. If there are none, the build reports it.
func TestRealGPUs(t *testing.T) {
	m := newMachine(t)
	dir := e2etest.PythonProject(t, `[app]
source = "app"
entrypoint = ["/usr/bin/python3", "/app/main.py"]
[smoke]
run = [["/usr/bin/python3", "/app/main.py"]]
[smoke.gpu]
run = [["/usr/bin/python3", "/app/seen.py"]]
`, map[string]string{"app/main.py": "import glob\nassert not glob.glob('/dev/nvidia*')\n", "app/seen.py": seen})
	e2etest.NewUser(t).Build(t, "lock", dir)
	u, end := m.user(`specDirs = ["` + m.path("specs") + `"]`)
	for _, tt := range []struct {
		name  string
		names []string // of the devices
		smoke string
		says  string
	}{
		{"none", nil, "all", ""},
		{"each", []string{"0", "GPU-0", "1", "GPU-1"}, "all", "there are /dev/nvidia0 /dev/nvidia1 /dev/nvidiactl"},
		{"all", []string{"0", "1", "all"}, "all", "there are /dev/nvidia0 /dev/nvidia1 /dev/nvidiactl"},
		{"all again", []string{"0", "1", "all"}, "all", "there are /dev/nvidia0 /dev/nvidia1 /dev/nvidiactl"},
		{"not wanted", []string{"0", "1", "all"}, "runtime", ""},
		{"one is left", []string{"0"}, "all", "there are /dev/nvidia0 /dev/nvidiactl"},
		{"none left", nil, "all", ""},
	} {
		m.spec(tt.names...)
		m.hooks()
		m.check(t, tt.name, u.Build(t, dir, "--smoke", tt.smoke, "--progress", "rawjson"), tt.says, tt.smoke == "all" && tt.says == "")
	}
	digest := u.Digest(t)
	end()

	u, end = m.user("disabled = true")
	defer end()
	m.spec("0", "all")
	m.check(t, "no CDI", u.Build(t, dir, "--progress", "rawjson"), "", true)
	if u.Digest(t) != digest {
		t.Error("the image differs without a GPU")
	}
}

// check checks a build: that the test ran and printed the text, or else that the build
// reports that it did not run.
func (m machine) check(t *testing.T, name string, r e2etest.Result, says string, told bool) {
	t.Helper()
	ran, _ := e2etest.Execs(r.Stderr)
	if got := slices.Contains(ran, gpuTest); got != (says != "") || !strings.Contains(printed(r.Stderr), says) {
		t.Errorf("%s: the test ran: %t, and printed %q, want %q", name, got, printed(r.Stderr), says)
	}
	want := ""
	if says != "" {
		want = "create-symlinks update-ldcache"
	}
	if got := m.hooks(); got != want {
		t.Errorf("%s: the hooks %q ran, want %q", name, got, want)
	}
	if got := strings.Contains(r.Stderr, "skipping the tests of [smoke.gpu]") && strings.Contains(r.Stderr, "[cdi]"); got != told {
		t.Errorf("%s: reported that the test does not run: %t\n%s", name, got, e2etest.Tail(r.Stderr))
	}
	if name != "none" && slices.ContainsFunc(ran, func(step string) bool { return step != gpuTest }) {
		t.Errorf("%s: %q ran again", name, ran)
	}
}

// printed returns the output of a build's steps, from that of --progress rawjson.
func printed(rawjson string) string {
	var all strings.Builder
	for line := range strings.Lines(rawjson) {
		var status struct{ Logs []struct{ Data []byte } }
		if json.Unmarshal([]byte(line), &status) != nil {
			continue
		}
		for _, l := range status.Logs {
			all.Write(l.Data)
		}
	}
	return all.String()
}
