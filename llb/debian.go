package llb

import (
	"fmt"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/internal/scripts"
	"lamina.build/lock"
)

// Debian is Debian packages, which are installed together.
type Debian struct {
	Name     string // what people see: "runtime"
	Tools    State  // busybox and libeatmydata.so, see [Packed]
	Mirrors  Mirrors
	Base     []lock.Package // what busybox unpacks so that dpkg can run, where nothing is there yet
	Packages []lock.Package // all of them, Base included
	Exclude  Exclude        // what stays out
	Keep     Exclude        // which of the keys stay that packages make for one machine
	User     User           // who is added
	Debconf  []string       // answers to what packages ask, as debconf-set-selections reads them; those for other packages are left out

	FirstStart bool // the image starts by what makes the rest, also where that is nothing

	Here bool // no cache outside the engine has it: it is no part of an image

	marker string // see [Debian.Differences]
}

// FirstStart is the program of an image that makes what its packages had made for one machine
// and the image lacks, and becomes what its arguments say.
const FirstStart = "/usr/libexec/lamina/first-start"

// User is the account that an app runs as, with a group of the same name and
// number and a home below /home. The zero value is no account. Without a number it is the
// one that a package has made under that name, and else one of a number that Debian
// gives to nobody.
type User struct {
	Name string
	UID  int // 0 where only the name is known
}

// String is "name:uid" or "name", and nothing for no account.
func (u User) String() string {
	if u.UID == 0 {
		return u.Name
	}
	return u.Name + ":" + strconv.Itoa(u.UID)
}

// State is a root file system of the packages alone, as one clean layer. It is made
// in one exec, since dpkg over the files of a lower layer would copy each of them up.
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

// Lists is what dpkg has noted of the packages, for the check of what State is.
func (d Debian) Lists() State {
	_, lists := d.alone()
	return lists
}

func (d Debian) alone() (made, lists State) {
	return d.install(bkllb.Scratch(), toolsPath+"/busybox", "sh", scriptsPath+"/bootstrap.sh")
}

// On is what the packages add to a root file system, as one clean layer to be
// merged above it. It can't say what they took away, see [GoneFile].
func (d Debian) On(rootfs State) State {
	made, _ := d.above(rootfs)
	return d.clean(bkllb.Diff(rootfs, made, here()))
}

// With is a root file system with the packages, as one clean layer.
func (d Debian) With(rootfs State) State {
	made, _ := d.above(rootfs)
	return d.clean(made)
}

// GoneFile is where [Debian.ListsOn] has the paths of the root file system that the
// packages removed, or made something else of, one a line.
const GoneFile = "gone"

// ListsOn is what dpkg has noted of the packages and of those of the root file system.
func (d Debian) ListsOn(rootfs State) State {
	_, lists := d.above(rootfs)
	return lists
}

func (d Debian) above(rootfs State) (made, lists State) {
	return d.install(rootfs, "/bin/sh", scriptsPath+"/install.sh")
}

// install installs the packages by one of the scripts. BuildKit removes the empty
// mount points below /.lamina after it.
func (d Debian) install(root State, command ...string) (made, lists State) {
	files := scripts.Named("bootstrap.sh", "install.sh", "prevent.sh", "rounds.sh", "account.sh", "made.sh", "made.tsv", "steady.pl", "bytecode.py")
	if d.FirstStart {
		files["first-start"] = ""
	}
	// A key elsewhere that may stay is nothing to install all packages anew for.
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

// answers are those for the packages alone: an answer for others is nothing to install
// these anew for.
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
