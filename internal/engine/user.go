package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"lamina.build/internal/failure"
)

// subordinates is how many users and groups besides root an image's packages may use:
// nobody is 65534.
const subordinates = 65535

// account is what an ordinary user's engine requires of the machine. It runs in a user
// namespace: the user is root there, and all others come from /etc/subuid.
type account struct {
	name      string
	uid, gid  int
	subuid    string            // content of /etc/subuid
	subgid    string            // and of /etc/subgid
	newuidmap string            // path; "" if there is none
	newgidmap string            // the same
	kernel    map[string]string // settings below /proc/sys, and lines of /proc/self/status
}

func thisAccount() account {
	a := account{uid: os.Geteuid(), gid: os.Getegid(), kernel: map[string]string{}}
	a.name = strconv.Itoa(a.uid)
	if u, err := user.LookupId(a.name); err == nil {
		a.name = u.Username
	}
	a.subuid, a.subgid = text("/etc/subuid"), text("/etc/subgid")
	a.newuidmap, _ = exec.LookPath("newuidmap") // "" if it is missing
	a.newgidmap, _ = exec.LookPath("newgidmap")
	for _, name := range []string{maxNamespaces, mayClone, appArmor} {
		a.kernel[name] = strings.TrimSpace(text(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))))
	}
	for line := range strings.Lines(text("/proc/self/status")) {
		name, value, _ := strings.Cut(line, ":")
		a.kernel[name] = strings.TrimSpace(value)
	}
	return a
}

// text returns the content of a file, "" if there is none.
func text(path string) string {
	data, _ := os.ReadFile(path) //nolint:gosec // of the system
	return string(data)
}

// Settings that forbid user namespaces, as sysctl and /proc/self/status name them.
const (
	maxNamespaces = "user.max_user_namespaces"
	mayClone      = "kernel.unprivileged_userns_clone"             // Debian's kernels
	appArmor      = "kernel.apparmor_restrict_unprivileged_userns" // Ubuntu's
	noPrivileges  = "NoNewPrivs"                                   // of a process and its children
	inContainer   = "run the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
	asRoot        = "run the command again with sudo"
)

// unfit returns every reason why this user can run no engine on this machine.
func (a account) unfit() (problems []error) {
	for _, name := range []string{maxNamespaces, mayClone} {
		if a.kernel[name] == "0" {
			value := map[string]string{maxNamespaces: "28633", mayClone: "1"}[name]
			problems = append(problems, failure.WithHint(fmt.Errorf("users may not create user namespaces on this machine: %s is 0", name),
				"sudo sysctl -w "+name+"="+value))
		}
	}
	if a.kernel[noPrivileges] == "1" {
		problems = append(problems, failure.WithHint(errors.New("newuidmap cannot work: this process was started with no_new_privs"),
			"in Kubernetes set allowPrivilegeEscalation: true; with Docker leave out --security-opt no-new-privileges"))
	}
	if a.newuidmap == "" || a.newgidmap == "" {
		problems = append(problems, failure.WithHint(fmt.Errorf("the private engine of user %s needs newuidmap and newgidmap on the PATH", a.name),
			"sudo apt install uidmap (shadow-utils on Fedora and others)"))
	}
	_, users := mapping(a.subuid, a.name, a.uid, a.uid)
	_, groups := mapping(a.subgid, a.name, a.uid, a.gid)
	if users < subordinates || groups < subordinates {
		from := max(100000, end(a.subuid), end(a.subgid))
		problems = append(problems, failure.WithHint(
			fmt.Errorf("an image's packages need %d users and groups; /etc/subuid and /etc/subgid give %d and %d of them to user %s", subordinates, users, groups, a.name),
			fmt.Sprintf("echo %s:%d:65536 | sudo tee -a /etc/subuid /etc/subgid", a.name, from),
		))
	}
	for i := range problems {
		problems[i] = failure.WithHint(problems[i], asRoot)
	}
	return problems
}

// flags returns the supervisor's flags for the user namespace.
func (a account) flags() []string {
	uids, _ := mapping(a.subuid, a.name, a.uid, a.uid)
	gids, _ := mapping(a.subgid, a.name, a.uid, a.gid)
	return []string{"-newuidmap", a.newuidmap, "-newgidmap", a.newgidmap, "-uids", uids, "-gids", gids}
}

// refused adds hints on settings to change if the kernel has created no namespace.
func (a account) refused(err error) error {
	if a.kernel[appArmor] == "1" {
		err = failure.WithHint(err, "sudo sysctl -w "+appArmor+"=0")
	}
	if a.kernel["Seccomp"] == "2" {
		err = failure.WithHint(err, inContainer)
	}
	return failure.WithHint(err, asRoot)
}

// mapping returns the arguments of newuidmap: root is the user, and those above are the
// subordinate ones, as many as there are.
func mapping(table, name string, uid, id int) (text string, count int) {
	text = fmt.Sprintf("0 %d 1", id)
	seen := map[int]bool{} // a line by name and one by number may give the same
	for _, r := range ranges(table) {
		if count >= subordinates || seen[r.first] || r.owner != name && r.owner != strconv.Itoa(uid) {
			continue
		}
		seen[r.first] = true
		text += fmt.Sprintf(" %d %d %d", count+1, r.first, r.count)
		count += r.count
	}
	return text, count
}

// end returns the first number above all ranges of a table.
func end(table string) (n int) {
	for _, r := range ranges(table) {
		n = max(n, r.first+r.count)
	}
	return n
}

// subRange is a line of /etc/subuid: the owner by name or number, and the range.
type subRange struct {
	owner        string
	first, count int
}

func ranges(table string) (all []subRange) {
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 {
			continue
		}
		first, bad := strconv.Atoi(f[1])
		count, err := strconv.Atoi(f[2])
		if bad == nil && err == nil && first > 0 && count > 0 {
			all = append(all, subRange{f[0], first, count})
		}
	}
	return all
}
