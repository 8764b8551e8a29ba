package llb

import (
	_ "embed" // the scripts
	"fmt"
	"path"
	"slices"
	"strconv"

	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/lock"
)

//go:embed scripts/bootstrap.sh
var bootstrapScript string

//go:embed scripts/install.sh
var installScript string

//go:embed scripts/bytecode.py
var bytecodeScript string

// Rootfs is a Debian root file system to be assembled from packages alone.
type Rootfs struct {
	Name     string // what people see: "runtime"
	Tools    State  // busybox and libeatmydata.so, see [Packed]
	Mirrors  Mirrors
	Base     []lock.Package // what busybox unpacks so that dpkg can run
	Packages []lock.Package // all of them, Base included
	Exclude  Exclude        // what stays out
	User     User
}

// User is the account that an app runs as, with a group of the same name and
// number and a home below /home. The zero value is no account.
type User struct {
	Name string
	UID  int
}

// String is "name:uid", and nothing for no account.
func (u User) String() string {
	if u.Name == "" {
		return ""
	}
	return u.Name + ":" + strconv.Itoa(u.UID)
}

// Layer returns the root file system as one clean layer. It is made in one
// exec, since dpkg over the files of a lower layer would copy each of them up.
func (r Rootfs) Layer() State {
	command := []string{toolsPath + "/busybox", "sh", scriptsPath + "/bootstrap.sh", r.User.String()}
	exec := Exec{
		Name:   fmt.Sprintf("%s: install %d packages", r.Name, len(r.Packages)),
		Args:   slices.Concat(command, r.Exclude.dpkgOptions()),
		Mounts: dpkgMounts(r.Tools, r.debs(), r.Exclude),
	}
	return Clean(r.Name+": one layer", exec.On(bkllb.Scratch()).Root(), "/", "/")
}

// dpkgMounts is what the scripts expect below /.lamina. BuildKit removes the
// empty mount points after the exec.
func dpkgMounts(tools, debs State, exclude Exclude) []bkllb.RunOption {
	return []bkllb.RunOption{
		Mount(toolsPath, tools),
		Mount(debsPath, debs),
		Mount(scriptsPath, Files("scripts of dpkg", map[string]string{
			"bootstrap.sh": bootstrapScript,
			"install.sh":   installScript,
			"bytecode.py":  bytecodeScript,
			"exclude.sh":   exclude.script(),
		})),
	}
}

func (r Rootfs) debs() State {
	files := make([]File, 0, len(r.Packages))
	for _, p := range r.Packages {
		folder := "/more/"
		if _, base := lock.Find(r.Base, p.Name); base {
			folder = "/base/"
		}
		files = append(files, File{From: r.Mirrors.Deb(p), Path: folder + path.Base(p.Path)})
	}
	return Gather(r.Name+": gather packages", files)
}

// Extra is what further packages add on top of a root file system, as one
// clean layer to be merged above it.
type Extra struct {
	Name     string
	Tools    State
	Mirrors  Mirrors
	Packages []lock.Package
	Exclude  Exclude
}

// On returns the layer of e for the given root file system.
func (e Extra) On(rootfs State) State {
	files := make([]File, 0, len(e.Packages))
	for _, p := range e.Packages {
		files = append(files, File{From: e.Mirrors.Deb(p), Path: "/more/" + path.Base(p.Path)})
	}
	exec := Exec{
		Name:   fmt.Sprintf("%s: install %d packages", e.Name, len(e.Packages)),
		Args:   append([]string{"/bin/sh", scriptsPath + "/install.sh", ""}, e.Exclude.dpkgOptions()...),
		Mounts: dpkgMounts(e.Tools, Gather(e.Name+": gather packages", files), e.Exclude),
	}
	changed := bkllb.Diff(rootfs, exec.On(rootfs).Root())
	return Clean(e.Name+": one layer", changed, "/", "/")
}
