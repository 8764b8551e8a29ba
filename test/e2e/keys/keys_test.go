package keys

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// Keys and ids that packages make for one machine are in no layer, and the summary lists
// them; what the spec keeps is there. The image has no Python for the check.
func TestRealKeysOfPackages(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	// Another user makes the step run, instead of coming from the engine's cache of an earlier run.
	user := 20000 + time.Now().UnixMicro()%30000
	dir := e2etest.PythonProject(t, fmt.Sprintf("keep = [\"/etc/munge/*\"]\n[app]\nsource = \"app\"\nuser = \"app:%d\"\nentrypoint = [\"/bin/true\"]\n", user), map[string]string{"app/main": ""})
	e2etest.Edit(t, dir+"/image.toml", `["python3"]`, `["openssh-server", "ssl-cert", "dbus", "munge"]`)
	r := u.Build(t, dir, "--smoke", "off")
	l, image := u.Image(t, "production")
	files := e2etest.Files(t, l, image)
	for path := range files {
		if strings.HasPrefix(path, "/etc/ssh/ssh_host_") || strings.Contains(path, "snakeoil") || path == "/var/lib/dbus/machine-id" {
			t.Errorf("the image has %s", path)
		}
	}
	if key := files["/etc/munge/munge.key"]; key.Size == 0 {
		t.Errorf("munge's key, which the spec keeps, is %+v", key)
	}
	if id := files["/etc/machine-id"]; id.Size > 0 {
		t.Errorf("/etc/machine-id is %+v", id)
	}
	// With the step in the engine's cache, and in two compressions, each with its digest.
	again := u.Build(t, dir, "--smoke", "off", "-o", "type=oci", "-o", "type=oci,dest=a.tar,compression=gzip")
	if !strings.Contains(again.Stdout, "\nsaved in a.tar\n  digest  sha256:") || strings.Count(again.Stdout, "  digest  ") != 1 {
		t.Errorf("the summary does not have both digests:\n%s", again.Stdout)
	}
	for _, text := range []string{
		"\nremoved, ", "  machine-id: /var/lib/dbus/machine-id\n", "  snakeoil key: /etc/ssl/private/ssl-cert-snakeoil.key\n",
		"  ssh host key: /etc/ssh/ssh_host_ed25519_key\n",
	} {
		for _, summary := range []string{r.Stdout, again.Stdout} {
			if !strings.Contains(summary, text) {
				t.Errorf("the summary does not have %q:\n%s", text, summary)
			}
		}
	}
	if strings.Contains(r.Stdout, "munge key") {
		t.Errorf("the summary says that munge's key is gone:\n%s", r.Stdout)
	}
}
