package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// set is a set of Debian packages, and its result. The image has Python only if the set
// brings it.
type set struct {
	packages string   // "nginx openssl"
	debian   string   // more lines of [debian]
	more     string   // further tables
	run      string   // a shell command that must work in the image
	code     int      // of a build that fails
	says     []string // what its error has, or else its summary
}

// longer skips a test that takes a minute or more.
func longer(t *testing.T) {
	t.Helper()
	if os.Getenv("LAMINA_REAL") != "debian" {
		t.Skip("LAMINA_REAL=debian builds many images of Debian packages")
	}
}

// Sets of real use are configured, and their programs run.
func TestRealSets(t *testing.T) {
	longer(t)
	for name, s := range map[string]set{
		// Its preinst needs its Pre-Depends.
		"ejabberd": {
			packages: "ejabberd", says: []string{"ejabberd key: /etc/ejabberd/ejabberd.pem"},
			run: "test -x /usr/sbin/ejabberdctl; cd /etc/ejabberd; test ! -e ejabberd.pem; /usr/libexec/lamina/first-start openssl x509 -noout -in ejabberd.pem; openssl pkey -noout -in ejabberd.pem",
		},
		"mariadb": {packages: "mariadb-server", run: "mariadbd --version"},
		"frr":     {packages: "frr", run: "id frr"},
		// Their settings hold a random password.
		"backuppc": {
			packages: "backuppc mailman3", says: []string{"BackupPC password: /etc/backuppc/htpasswd", "Mailman settings: /etc/mailman3/mailman.cfg"},
			run: "test ! -e /etc/backuppc/htpasswd; cd /etc/mailman3; test ! -e mailman.cfg; /usr/libexec/lamina/first-start grep ^backuppc: /etc/backuppc/htpasswd; grep -E \"^ *admin_pass: .{48}\" mailman.cfg",
		},
		// A database with a random password, and settings with random secrets.
		"secrets": {
			packages: "firebird3.0-server phpmyadmin roundcube roundcube-sqlite3 shadowsocks-libev",
			says: []string{
				"Firebird database: /var/lib/firebird/3.0/system/security3.fdb", "phpMyAdmin secret: /var/lib/phpmyadmin/blowfish_secret.inc.php",
				"Roundcube settings: /etc/roundcube/config.inc.php", "database password: /etc/dbconfig-common/", "Shadowsocks password: /etc/shadowsocks-libev/config.json",
			},
			run: `cd /etc; test ! -e firebird/3.0/SYSDBA.password; test ! -e roundcube/config.inc.php; grep @phpmyadmin@ phpmyadmin/config-db.php; /usr/libexec/lamina/first-start true
. firebird/3.0/SYSDBA.password; test -n "$ISC_PASSWORD"; test -s /var/lib/firebird/3.0/system/security3.fdb
php -r 'include "/var/lib/phpmyadmin/blowfish_secret.inc.php"; exit(strlen($cfg["blowfish_secret"]) == 32 ? 0 : 1);'
if grep -r -e @phpmyadmin@ -e @roundcube@ .; then exit 1; fi; grep -E "^.dbpass=.[A-Za-z0-9]{12}.;" phpmyadmin/config-db.php
php -l roundcube/config.inc.php; grep -E "des_key.*= .[^ ]{24}" roundcube/config.inc.php; grep -E "\"password\":\"[A-Za-z0-9]{12}\"" shadowsocks-libev/config.json`,
		},
		// Packages that download, or replace a file of the engine's.
		"mscorefonts": {
			packages: "ttf-mscorefonts-installer", debian: "components = [\"main\", \"contrib\"]", code: 1,
			says: []string{"ttf-mscorefonts-installer: its post-installation script", "the network is off while packages are installed"},
		},
		"resolvconf": {packages: "resolvconf", code: 1, says: []string{"resolvconf", "/etc/resolv.conf belongs to the engine while packages are installed"}},
		"postfix": {
			packages: "postfix", debian: "debconf = [\"postfix postfix/main_mailer_type select Local only\"]",
			run: "test \"$(postconf -h inet_interfaces)\" = loopback-only",
		},
	} {
		t.Run(name, func(t *testing.T) { s.build(t) })
	}
}

// build builds the set as a user does, from its own directory.
func (s set) build(t *testing.T) e2etest.Result {
	t.Helper()
	u := e2etest.NewUser(t)
	dir := filepath.Join(t.TempDir(), "faceblend")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	quoted := `"` + strings.Join(strings.Fields(s.packages), `", "`) + `"`
	text := fmt.Sprintf("name = \"faceblend\"\n[debian]\npackages = [%s]\n%s\n%s\n", quoted, s.debian, s.more)
	if s.run != "" {
		text += fmt.Sprintf("[smoke]\nrun = [[\"sh\", \"-ec\", '''%s''']]\n", s.run)
	}
	e2etest.Write(t, filepath.Join(dir, "image.toml"), []byte(text))
	if s.code != 0 {
		u.Build(t, "lock", dir)
		u.Fails(t, s.code, s.says, dir)
		u.HasNoImage(t)
		return e2etest.Result{}
	}
	r := u.Build(t, dir)
	for _, text := range s.says {
		if !strings.Contains(r.Stdout, text) {
			t.Errorf("the summary does not have %q:\n%s", text, r.Stdout)
		}
	}
	return r
}
