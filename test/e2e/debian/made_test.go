package debian

import (
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/container"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
)

// A set that makes each kind of file that differs between builds gives one digest: under a
// clock 400 days ahead, on another engine with another number of CPUs, and with directories
// read in reverse order. The first start makes what the image lacks.
func TestRealDigestOfEachKind(t *testing.T) {
	longer(t)
	t.Parallel()
	u := e2etest.NewUser(t)
	dir := e2etest.PythonProject(t, "[app]\nsource = \"app\"\nentrypoint = [\"sh\", \"-c\"]\ncommand = [\"id; echo $HOME\"]\nfirst-start = true\n", map[string]string{"app/main": ""})
	e2etest.Edit(t, dir+"/image.toml", `["python3"]`, `["bacula-fd", "dbus", "default-jre-headless", "fontconfig", "fonts-dejavu-core", "munge", "nsd", "openssh-server", `+
		`"postfix", "postgresql", "ssl-cert", "systemd", "texlive-latex-base"]`)
	u.Build(t, dir, "--smoke", "off")

	there := e2etest.Elsewhere(t, dir)
	there.Build(t, dir, "--smoke", "off")
	same(t, u, there)

	l, image := u.Image(t, "production")
	m, err := container.New(t.Context(), enginetest.Runc(t), l, image, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	said := runs(t, m.Start)
	for _, text := range []string{"uid=10001(app) gid=10001(app) groups=10001(app)", "\n/home/app\n"} {
		if !strings.Contains(said, text) {
			t.Errorf("the app doesn't print %q:\n%s", text, said)
		}
	}
	said = runs(t, func(env []string, _ ...string) (*container.Container, error) {
		return m.Exec(env, "/usr/libexec/lamina/first-start", "sh", "-euxc", servers)
	})
	for _, text := range []string{"\nSSH-2.0\n", "\nSTATUS:          Success (0)\n", "\nanswer 42\n"} {
		if !strings.Contains(said, text) {
			t.Errorf("no server prints %q:\n%s", text, said)
		}
	}
}

// servers start with the made files; pipes instead of ports can't collide with others.
const servers = `
test -s /var/lib/dbus/machine-id
test -s /etc/nsd/nsd_control.key
grep -F -e "$(sed -n s/^FDPASSWD=//p /etc/bacula/common_default_passwords)" /etc/bacula/bacula-fd.conf
openssl x509 -noout -subject -in /etc/ssl/certs/ssl-cert-snakeoil.pem
mkdir -p /run/sshd
/usr/sbin/sshd -i </dev/null | grep -aom 1 "^SSH-2.0"
install -d -o munge -g munge /run/munge
su munge -s /bin/sh -c /usr/sbin/munged
munge -n | unmunge
pg_ctlcluster 15 main start -o "-c listen_addresses="
su postgres -c "psql -tA -c \"select 'answer ' || 6 * 7\""
pg_ctlcluster 15 main stop -m immediate
`

func runs(t *testing.T, start func(env []string, args ...string) (*container.Container, error)) string {
	t.Helper()
	c, err := start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Remove()
	if code, err := c.Wait(10 * time.Minute); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v:\n%s", code, err, c.Output())
	}
	return c.Output()
}
