package cases

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/testworld"
)

// packages returns sets of real use. By default the right result is that a set builds
// unchanged, that its programs run, and that it has the same digest twice.
func packages() []aCase {
	sets := append(make([]aCase, 0, 45),
		aCase{"debian/arm64", "refused, exit 4, with a word on QEMU", refuses(4, "qemu-user-static")},
		aCase{"debian/backports", "told; cmake/bookworm-backports is 3.31", (*call).backports},
		aCase{"debian/cuda", "locks", locks("")},
		aCase{"debian/mscorefonts", "fails, and says that the network is off", refuses(1, "network")},
		aCase{"debian/noble", "refused, exit 2, with a word on repositories", refuses(2, "[[debian.repository]]")},
		aCase{"debian/r-bad50", "refused, names the entry", refuses(1, `"./smashed" names no package`)},
		aCase{"debian/r-dev", "refused, names the device", refuses(1, "/opt/d/null is a device")},
		aCase{"debian/r-divert", "as dpkg would have made it", (*call).diverted},
		aCase{"debian/r-md5only", "refused, exit 2, names the hashes", refuses(2, "neither a SHA256 nor a SHA512")},
		aCase{"debian/r-noext", "builds", runs("hello-noext")},
		aCase{"debian/r-pre", "builds", runs("aa")},
		aCase{"debian/r-same", "both are there", runs("hello-one", "hello-two")},
		aCase{"debian/resolvconf", "refused, names /etc/resolv.conf", refuses(1, "/etc/resolv.conf")},
		aCase{"debian/sid", "refused, names its date, or builds", (*call).expired},
		aCase{"debian/ubuntu", "locks", (*call).ubuntu},
		aCase{"debian/usercollide", "one account, or refused with what to write", (*call).collide},
	)
	for name, program := range map[string]string{
		"desk": "fc-list", "ejabberd": "test -x /usr/sbin/ejabberdctl", "emacs": "emacs --version", "exim": "exim --version", "gdal": "gdalinfo --version", "java": "java -version",
		"mkl": "true", "nginx": "nginx -t", "numpy": "python3 -c 'import numpy'", "p-bacula-fd": "test -x /usr/sbin/bacula-fd", "p-dovecot-core": "doveconf -n", "p-frr": "vtysh --help",
		"pingsudo": "sudo -V", "postfix": "postconf mail_version", "postgres": "/usr/lib/postgresql/15/bin/postgres --version", "pysci": "", "r-doc": "hello-doc", "r-multikey": "hello-zst",
		"r-size0": "hello-zst", "r-zst": "hello-zst", "rbase": "Rscript -e 1", "resolved": "resolvectl --version", "services": "node --version", "sshd": "ssh -V", "systemd": "systemctl --version",
		"t64": "ffmpeg -version", "tex": "pdflatex --version", "torch": "", "trixie": "",
	} {
		sets = append(sets, aCase{"debian/" + name, "builds, runs, and has one digest", builds(program)})
	}
	slices.SortFunc(sets, func(a, b aCase) int { return strings.Compare(a.name, b.name) })
	return sets
}

// repository serves packages made for the cases.
func (c *call) repository() {
	if strings.HasPrefix(filepath.Base(c.source), "r-") {
		c.serve("127.0.0.1:8391", "python3", "-m", "http.server", "8391", "--bind", "127.0.0.1", "-d", filepath.Join(c.cases, "debian/repository/www"))
	}
}

// edit changes the case's spec, which need not contain the text.
func (c *call) edit(old, replacement string) {
	name := filepath.Join(c.dir, "image.toml")
	text, err := os.ReadFile(name) //nolint:gosec // of the case's copy
	if err == nil {
		err = os.WriteFile(name, []byte(strings.ReplaceAll(string(text), old, replacement)), 0o600) //nolint:gosec // as above
	}
	if err != nil {
		c.Fatal(err)
	}
}

// refuses requires the exit code, and the text in the output.
func refuses(code int, text string) func(*call) []row {
	return func(c *call) []row {
		c.repository()
		o := c.build(c.dir)
		return []row{{seen: o.String(), ok: o.code == code && strings.Contains(o.stderr, text) && !hasImage(c.dir)}}
	}
}

// locks requires a lock that has the text.
func locks(text string) func(*call) []row {
	return func(c *call) []row {
		c.repository()
		o := c.build(c.dir, "lock")
		lock, _ := os.ReadFile(filepath.Join(c.dir, "image.lock"))
		return []row{{seen: o.String(), ok: o.code == 0 && strings.Contains(string(lock), text)}}
	}
}

// builds requires an image in which a program runs, the same twice.
func builds(program string) func(*call) []row {
	return func(c *call) []row {
		c.repository()
		if program != "" {
			command, err := json.Marshal([]string{"/bin/sh", "-euc", program})
			if err != nil {
				c.Fatal(err)
			}
			c.edit("[debian]", fmt.Sprintf("[smoke]\nrun = [%s]\n[debian]", command))
		}
		start := time.Now()
		built := c.build(c.dir, "--progress", "plain")
		first := row{what: "builds", right: "exit 0", seen: fmt.Sprintf("%s%s, %.0f s", built, size(built), time.Since(start).Seconds()), ok: built.code == 0}
		if built.code != 0 {
			return []row{first}
		}
		twice := c.build(c.dir, "--check-reproducible")
		return []row{first, {what: "digest", right: "the same twice", seen: twice.String(), ok: twice.code == 0}}
	}
}

// size returns the image's size from a build's output.
func size(o outcome) string {
	if total := strings.Fields(found(`total +[0-9.]+ .B`, o.stdout+o.stderr)); len(total) == 3 {
		return ", " + total[1] + " " + total[2]
	}
	return ""
}

// runs requires an image with programs.
func runs(programs ...string) func(*call) []row {
	return builds(strings.Join(programs, " && "))
}

// files builds the image as a directory.
func (c *call) files(args ...string) (dir string, o outcome) {
	dir = filepath.Join(c.TempDir(), "out")
	return dir, c.build(c.dir, append([]string{"-o", "type=local,dest=" + dir}, args...)...)
}

func (c *call) backports() []row {
	told := c.build(c.dir, "lock")
	const hint = `requested as "NAME/bookworm-backports"`
	first := row{what: "told", right: hint, seen: found(`nothing is locked from [^:]*`, told.stderr), ok: told.code == 0 && strings.Contains(told.stderr, hint)}
	c.edit(`"cmake"`, `"cmake/bookworm-backports"`)
	taken := locks(`name = "cmake", version = "3.31`)(c)[0]
	taken.what = "taken"
	return []row{first, taken}
}

// diverted lets a package's script delete, replace and divert files of the base.
func (c *call) diverted() []row {
	c.repository()
	dir, o := c.files("--variant", "extra")
	_, deleted := os.Lstat(filepath.Join(dir, "etc/issue.net"))
	factor, _ := os.Readlink(filepath.Join(dir, "usr/bin/factor"))
	_, diverted := os.Lstat(filepath.Join(dir, "usr/bin/yes"))
	_, kept := os.Lstat(filepath.Join(dir, "usr/bin/yes.distrib"))
	right := o.code == 0 && os.IsNotExist(deleted) && factor == "/bin/true" && os.IsNotExist(diverted) && kept == nil
	return []row{{seen: fmt.Sprintf("%s; issue.net gone: %t, factor: %q, yes gone: %t", o, os.IsNotExist(deleted), factor, os.IsNotExist(diverted)), ok: right}}
}

// expired accepts both results: a mirror may be up to date today.
func (c *call) expired() []row {
	o := c.build(c.dir, "lock")
	return []row{{seen: o.String(), ok: o.code == 0 || strings.Contains(o.stderr, "it expired on ") && strings.Contains(o.stderr, "check-valid-until = false")}}
}

// ubuntu replaces the distribution that the spec names with its own.
func (c *call) ubuntu() []row {
	mirrors := debian.Merge(debian.HostMirrors(os.DirFS("/")), debian.Snapshot(time.Now()))
	d := testworld.New(c).Distribution(mirrors, filepath.Join(c.world.dir, "cache", "lamina", "files"), testworld.DebianOptions{Path: "ubuntu", Suite: "noble"}, "python3", "binutils", "gdb", "strace", "procps", "less", "vim-tiny")
	c.edit("http://127.0.0.1:8391/ubuntu", d.URL)
	if err := os.WriteFile(filepath.Join(c.dir, "key.gpg"), d.Key, 0o600); err != nil {
		c.Fatal(err)
	}
	return locks(`name = "python3"`)(c)
}

// collide gives the app an account that a package also makes.
func (c *call) collide() []row {
	dir, o := c.files()
	text, _ := os.ReadFile(filepath.Join(dir, "etc/passwd")) //nolint:gosec // a directory of the case
	accounts := strings.Count("\n"+string(text), "\nmessagebus:")
	refused := o.code != 0 && strings.Contains(o.stderr, `write user = "messagebus"`)
	return []row{{seen: fmt.Sprintf("%s; %d accounts", o, accounts), ok: refused || o.code == 0 && accounts == 1}}
}
