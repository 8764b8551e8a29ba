package llb

import (
	"fmt"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/internal/scripts"
	"lamina.build/lock"
)

// Debian is a set of Debian packages that are installed together.
type Debian struct {
	Name     string // shown to people: "runtime"
	Tools    State  // busybox and libeatmydata.so, see [Packed]
	Mirrors  Mirrors
	Base     []lock.Package // unpacked by busybox so that dpkg can run, on an empty root
	Packages []lock.Package // all of them, Base included
	Exclude  Exclude        // what to leave out
	Keep     Exclude        // which keys made for one machine to keep
	User     User           // the user to add
	Debconf  []string       // answers to debconf questions, as for debconf-set-selections; those for other packages are ignored

	FirstStart bool // the image starts with the program that makes the rest, even if that is nothing

	Here bool // kept out of caches outside the engine, since no image contains it

	marker string // see [Debian.Differences]
}

// FirstStart is the program of an image that makes what its packages made for one machine and
// the image therefore lacks, and then executes its arguments.
const FirstStart = "/usr/libexec/lamina/first-start"

// User is the account that an app runs as, with a group of the same name and number and a home
// directory below /home. The zero value is no account. Without a number it is the account of
// that name that a package made, or else gets a number that Debian gives to nobody.
type User struct {
	Name string
	UID  int // 0 if only the name is known
}

// String returns "name:uid" or "name", and "" for no account.
func (u User) String() string {
	if u.UID == 0 {
		return u.Name
	}
	return u.Name + ":" + strconv.Itoa(u.UID)
}

// State returns a root file system of only the packages, as one clean layer. One exec makes it,
// since dpkg would copy up each file of a lower layer.
func (d Debian) State() State {
	made, _ := d.alone()
	return d.clean(made)
}

func (d Debian) clean(made State) State {
	var more []bkllb.ConstraintsOpt
	if d.Here {
		more = append(more, here())
	}
	return clean(d.Name+": one layer", made, "/", "/", more...)
}

// Lists returns dpkg's lists of the packages, for the check of State.
func (d Debian) Lists() State {
	_, lists := d.alone()
	return lists
}

func (d Debian) alone() (made, lists State) {
	return d.install(bkllb.Scratch(), toolsPath+"/busybox", "sh", scriptsPath+"/bootstrap.sh")
}

// On returns what the packages add to a root file system, as one clean layer to merge above it.
// It doesn't include what they removed, see [GoneFile].
func (d Debian) On(rootfs State) State {
	made, _ := d.above(rootfs)
	return d.clean(bkllb.Diff(rootfs, made, here()))
}

// With returns a root file system with the packages, as one clean layer.
func (d Debian) With(rootfs State) State {
	made, _ := d.above(rootfs)
	return d.clean(made)
}

// GoneFile is the file of [Debian.ListsOn] with the paths of the root file system that the
// packages removed or changed to another type, one per line.
const GoneFile = "gone"

// ListsOn returns dpkg's lists of the packages and of those of the root file system.
func (d Debian) ListsOn(rootfs State) State {
	_, lists := d.above(rootfs)
	return lists
}

// Installed returns what [Debian.ListsOn] does, and requires the root file system with the
// packages, too: of an exec, an engine keeps only the outputs that a graph requires, so it would
// install the packages again for an image that is drawn later.
func (d Debian) Installed(rootfs State) State {
	made, lists := d.above(rootfs)
	return lists.File(bkllb.Copy(made, "/.lamina-none*", "/", &bkllb.CopyInfo{AllowWildcard: true, AllowEmptyWildcard: true}),
		bkllb.WithCustomName(d.Name+": installed"), here())
}

func (d Debian) above(rootfs State) (made, lists State) {
	return d.install(rootfs, "/bin/sh", scriptsPath+"/install.sh")
}

// install installs the packages with one of the scripts. BuildKit then removes the empty mount
// points below /.lamina.
func (d Debian) install(root State, command ...string) (made, lists State) {
	files := scripts.Named("bootstrap.sh", "install.sh", "prevent.sh", "rounds.sh", "account.sh", "made.sh", "made.tsv", "steady.pl", "bytecode.py")
	if d.FirstStart {
		files["first-start"] = ""
	}
	// A key to keep elsewhere is no reason to install all packages again.
	keep := d.Keep.below("/etc/", "/var/lib/")
	files["exclude.sh"], files["kept.sh"] = d.Exclude.script(), keep.kept()
	files["debconf"] = d.answers()
	for _, p := range d.Packages {
		files["packages"] += fmt.Sprintln(p.Name, p.Version, p.Architecture)
	}
	exec := Exec{
		Name: fmt.Sprintf("%s: install %d packages", d.Name, len(d.Packages)),
		Here: true,
		Args: append(command, d.User.String()),
		Mounts: []Mount{
			{Target: toolsPath, From: d.Tools},
			{Target: debsPath, From: d.debs()},
			{Target: scriptsPath, From: Files("scripts of dpkg", files)},
		},
	}
	if d.marker != "" {
		exec.Env = []string{"LAMINA_MARKER=" + d.marker}
	}
	run := exec.run(root)
	lists = run.AddMount(listsPath, bkllb.Scratch())
	return run.Root(), lists
}

// answers returns the answers for these packages: one for others is no reason to install
// these again.
func (d Debian) answers() (lines string) {
	for _, answer := range d.Debconf {
		owner, _, _ := strings.Cut(answer, " ")
		if _, ok := lock.Find(d.Packages, owner); ok {
			lines += answer + "\n"
		}
	}
	return lines
}

func (d Debian) debs() State {
	files := make([]File, len(d.Packages))
	for i, p := range d.Packages {
		directory := "/more/"
		if _, base := lock.Find(d.Base, p.Name); base {
			directory = "/base/"
		}
		files[i] = File{From: d.Mirrors.Deb(p), Path: directory + p.FileName()}
	}
	return Gather(d.Name+": gather packages", files)
}
