package debian

import (
	"testing"

	"lamina.build/internal/test/e2etest"
)

// A set that makes each kind of what differs from build to build gives one digest, under
// another clock, on another engine and another number of CPUs.
func TestRealDigestOfEachKind(t *testing.T) {
	longer(t)
	u := e2etest.NewUser(t)
	dir := e2etest.PythonProject(t, "", nil)
	e2etest.Edit(t, dir+"/image.toml", `["python3"]`, `["dbus", "default-jre-headless", "fontconfig", "fonts-dejavu-core", "munge", "openssh-server", "postfix", "postgresql", `+
		`"ssl-cert", "systemd", "texlive-latex-base"]`)
	u.Build(t, dir, "--smoke", "off")
	there := e2etest.Elsewhere(t, dir)
	there.Build(t, dir, "--smoke", "off")
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("digest is %s elsewhere, %s here", got, want)
	}
}
