package release

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// An ordinary user's engine makes the same examples/faceblend as root's, its tests included,
// and leaves nothing running. If the machine forbids it, the error says what to set.
func TestRealRootless(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "rootless" {
		t.Skip("LAMINA_REAL=rootless builds examples/faceblend as an ordinary user, on an engine that has nothing")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make an account in a mount namespace")
	}
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	a := newAccount(t)
	if err := os.CopyFS(a.path("faceblend"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct{ name, before, want, hint string }{
		{"no subordinate users", "sed -i /ordinary/d /etc/subuid", "give 0 and 65536 of them to user ordinary", "echo ordinary:265536:65536 | sudo tee -a /etc/subuid /etc/subgid"},
		{"too few", "sed -i s/65536/1000/ /etc/subgid", "give 65536 and 1000 of them", "sudo tee -a /etc/subuid /etc/subgid"},
		{"no newuidmap", "rm /home/bin/newuidmap", "needs newuidmap and newgidmap", "apt install uidmap"},
		{"one that is not setuid", "chmod u-s /home/bin/newuidmap", "newuidmap", "run the command again with sudo"},
		{"no privileges to gain", "how=--no-new-privs", "started with no_new_privs", "allowPrivilegeEscalation"},
		{"no user namespaces", "echo 0 >/etc/none; mount --bind /etc/none /proc/sys/user/max_user_namespaces", "user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=28633"},
		{"none in a chroot", "mount --rbind / /mnt; in='chroot /mnt'", "making a user namespace", "run the command again with sudo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if said, code := a.run(t, tt.before, "build engine start"); code != 4 || !strings.Contains(said, tt.want) || !strings.Contains(said, tt.hint) {
				t.Errorf("exit code %d, want 4, %q and %q:\n%s", code, tt.want, tt.hint, said)
			}
		})
	}

	said, code := a.run(t, "", "build faceblend")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, e2etest.Tail(said))
	}
	there := e2etest.User{Dir: a.path("")}
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("digest is %s by an ordinary user's engine, %s by root's", got, want)
	}
	// A root on overlayfs allows no further one: without fuse-overlayfs, layers are copied.
	if err := os.RemoveAll(a.path("dist")); err != nil {
		t.Fatal(err)
	}
	said, code = a.run(t, `mkdir -p /home/over/upper /home/over/work; chown -R "$3:$3" /home/over
mount -t overlay overlay -o lowerdir=/home/ordinary/.cache,upperdir=/home/over/upper,workdir=/home/over/work /home/ordinary/.cache`,
		"build engine start && build --smoke off faceblend && build engine logs && build engine stop")
	if code != 0 || !strings.Contains(said, "overlayfs does not work in") {
		t.Errorf("without overlayfs: exit code %d\n%s", code, e2etest.Tail(said))
	} else if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("digest is %s where layers are copied, %s otherwise", got, want)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		left := running()
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left running: %q", left)
		}
	}
}

// account is an ordinary user of this machine, but with the test's own /etc and /home in the
// mount namespaces of the commands that it runs.
type account struct {
	etc, home string
	tables    map[string]string // files of /etc
	programs  map[string][]byte // files of /home/bin
}

const ordinary = 64123

func newAccount(t *testing.T) account {
	t.Helper()
	a := account{etc: filepath.Join(t.TempDir(), "etc"), home: t.TempDir(), tables: map[string]string{}, programs: map[string][]byte{}}
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", "/etc", a.etc).CombinedOutput(); err != nil {
		t.Fatalf("copying /etc: %v\n%s", err, out)
	}
	for name, line := range map[string]string{
		"passwd": fmt.Sprintf("ordinary:x:%d:%[1]d::/home/ordinary:/bin/sh\n", ordinary), "subuid": "ordinary:200000:65536\n", "subgid": "ordinary:200000:65536\n",
	} {
		data, err := os.ReadFile(filepath.Join(a.etc, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		a.tables[name] = string(data) + line
	}
	for _, name := range []string{"newuidmap", "newgidmap"} {
		a.programs[name] = uidmap(t, name)
	}
	var err error
	if a.programs["build"], err = os.ReadFile(e2etest.Program(t)); err != nil {
		t.Fatal(err)
	}
	from := engineOfTests(t)
	if err = errors.Join(os.Chmod(a.home, 0o755), os.Mkdir(filepath.Join(a.home, "bin"), 0o755), os.MkdirAll(a.path(".cache/lamina/engine"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err = os.CopyFS(a.path(".cache/lamina/engine/"+filepath.Base(from)), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return a
}

// path returns a path in the user's home directory.
func (a account) path(name string) string { return filepath.Join(a.home, "ordinary", name) }

// inNamespace is root's script that sets up the namespace and runs a command as the user.
const inNamespace = `set -e
mount --bind "$1" /etc
mount --bind "$2" /home
chown -R "$3:$3" /home/ordinary
for program in /usr/bin/newuidmap /usr/bin/newgidmap; do # only those in /home/bin count
	[ ! -e $program ] || mount --bind /dev/null $program
done
eval "$4"
cd /home/ordinary
exec $in setpriv --reuid "$3" --regid "$3" --clear-groups $how env -u XDG_CACHE_HOME -u BUILDKIT_HOST HOME=/home/ordinary PATH=/home/bin:/usr/bin:/bin sh -c "cd && $5"`

// run runs a command as the user, after a script of root. The next call undoes that script's
// changes of files.
func (a account) run(t *testing.T, before, command string) (said string, code int) {
	t.Helper()
	var problems []error
	for name, text := range a.tables {
		problems = append(problems, os.WriteFile(filepath.Join(a.etc, name), []byte(text), 0o644))
	}
	for name, data := range a.programs {
		path := filepath.Join(a.home, "bin", name)
		problems = append(problems, os.WriteFile(path, data, 0o755), os.Chmod(path, 0o755|os.ModeSetuid))
	}
	problems = append(problems, os.Chmod(filepath.Join(a.home, "bin", "build"), 0o755))
	if err := errors.Join(problems...); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-c", inNamespace, "sh", a.etc, a.home, strconv.Itoa(ordinary), before, command)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// running returns the processes of the user and its subordinate users.
func running() (all []string) {
	files, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid == ordinary || uid >= 200000 && uid < 265536 {
			line, _ := os.ReadFile(filepath.Join(path, "cmdline"))
			all = append(all, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return all
}

// engineOfTests returns the directory of this checkout's compiled programs: the tests' shared
// engine may be another checkout's.
func engineOfTests(t *testing.T) string {
	t.Helper()
	o := enginetest.Options(t)
	o.StateDir = t.TempDir()
	e, err := engine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	st, err := engine.StatusOf(o)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", st.PID))
	if err = errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(program)
}

// uidmap returns a program of Debian's package of that name.
func uidmap(t *testing.T, name string) []byte {
	t.Helper()
	mirrors, getter := testworld.RealMirrors(t), debian.NewGetter(enginetest.Options(t).CacheDir)
	keys, err := debian.ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	s := debian.Source{Repository: debian.Main, Suite: "bookworm", Components: []string{"main"}, Keys: keys}
	r, err := getter.Release(t.Context(), mirrors, s, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	files, err := getter.Packages(t.Context(), mirrors, &r, s.Components, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	index, err := debian.NewIndex(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := index.Best("uidmap")
	if !ok {
		t.Fatal("Debian has no package uidmap")
	}
	deb, err := getter.Package(t.Context(), mirrors, p)
	if err != nil {
		t.Fatal(err)
	}
	data, err := debian.ReadDebFile(deb, "usr/bin/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
