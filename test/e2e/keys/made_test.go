package keys

import (
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A package that makes different files each time is reported with the file, and no image
// gets a name.
func TestRealCheckReproducible(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	repository := w.Debian(testworld.DebianOptions{}, testworld.Deb{
		Name: "dice", Files: map[string]string{"/var/lib/dice/rules": "none\n"},
		Postinst: "#!/bin/sh\nset -e\nmkdir -p /var/lib/dice\ndate +%N >/var/lib/dice/number\nmktemp -u | ln -s \"$(cat)\" /var/lib/dice/link\ntouch \"/var/lib/dice/$(date +%N)\"\n",
	})
	dir := e2etest.PythonProject(t, "exclude = []\n[[debian.repository]]\nurl = \""+repository.URL+"\"\nsuite = \"bookworm\"\nkey = \"key.asc\"\n",
		map[string]string{"key.asc": string(repository.Key)})
	e2etest.Edit(t, dir+"/image.toml", `["python3"]`, `["dice"]`)
	u.Fails(t, 3, []string{
		"runtime: installing the packages twice gives different digests:", "  /var/lib/dice/number: content, from byte ", "/var/lib/dice/link: a link to /tmp/tmp.", "it exists only the first time (dice)",
	}, dir, "--smoke", "off", "--check-reproducible")
	u.HasNoImage(t)
	// What makes keys and ids comes along.
	e2etest.Edit(t, dir+"/image.toml", "[\"dice\"]\nexclude = []", `["dbus", "dice", "munge", "openssh-server", "ssl-cert"]`+"\nexclude = [\"/var/lib/dice/**\"]")
	u.Build(t, "lock", dir)
	if r := u.Build(t, dir, "--smoke", "off", "--check-reproducible"); !strings.Contains(r.Stderr, "runtime: installing the packages twice gives the same digest") {
		t.Errorf("the two installations are not reported:\n%s", e2etest.Tail(r.Stderr))
	}
	u.Digest(t)
}
