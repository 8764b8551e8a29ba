package llb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"lamina.build/cache"
	"lamina.build/internal/scripts"
)

// Paths of an exec's inputs apart from its root file system.
const (
	toolsPath   = "/.lamina/tools"
	debsPath    = "/.lamina/debs"
	listsPath   = "/.lamina/lists"
	layerPath   = "/.lamina/layer"
	firstPath   = "/.lamina/first"
	secondPath  = "/.lamina/second"
	scriptsPath = "/.lamina/scripts"
)

// Exec is a command that runs inside a state, in the same environment on every machine and
// without a network.
type Exec struct {
	Name    string // shown in the progress
	Args    []string
	Env     []string // "KEY=value", on top of the fixed ones
	Dir     string   // default: "/"
	User    string   // default: root
	Mounts  []Mount
	Caches  []cache.Mount
	Sockets []Socket
	Devices []string // of the engine, by CDI name: "nvidia.com/gpu=all"
	Here    bool     // the result is kept out of caches outside the engine
}

// Mount shows a state to an exec, read-only.
type Mount struct {
	Target string // absolute: the mount point
	From   State
	Source string // absolute: the part of From to mount; "" for all of it
}

// Socket is a socket of the client that the engine forwards to an exec. Where it leads is up
// to the client: no exec of a build has one.
type Socket struct {
	ID   string // in the session of the solve
	Path string // in the exec
}

// On returns root as the exec leaves it.
func (e Exec) On(root State) State { return e.run(root).Root() }

// Output returns only what the exec, run on root, leaves in a directory that is empty before.
func (e Exec) Output(root State, dir string) State { return e.run(root).AddMount(dir, bkllb.Scratch()) }

func (e Exec) run(root State) bkllb.ExecState {
	options := []bkllb.RunOption{
		bkllb.Args(e.Args),
		bkllb.Network(pb.NetMode_NONE),
		bkllb.Hostname("lamina"),
		bkllb.WithCustomName(e.Name),
	}
	for _, kv := range slices.Concat(surroundings(), e.Env) {
		key, value, _ := strings.Cut(kv, "=")
		options = append(options, bkllb.AddEnv(key, value))
	}
	if e.Here {
		options = append(options, here())
	}
	if e.Dir != "" {
		options = append(options, bkllb.Dir(e.Dir))
	}
	if e.User != "" {
		options = append(options, bkllb.User(e.User))
	}
	for _, name := range e.Devices {
		options = append(options, bkllb.AddCDIDevice(bkllb.CDIDeviceName(name)))
	}
	for _, m := range e.Mounts {
		how := []bkllb.MountOption{bkllb.Readonly}
		if m.Source != "" {
			how = append(how, bkllb.SourcePath(m.Source))
		}
		options = append(options, bkllb.AddMount(m.Target, m.From, how...))
	}
	for _, c := range e.Caches {
		options = append(options, bkllb.AddMount(c.Target, bkllb.Scratch(), bkllb.AsPersistentCacheDir(c.ID, bkllb.CacheMountLocked)))
	}
	for _, s := range e.Sockets {
		options = append(options, bkllb.AddSSHSocket(bkllb.SSHID(s.ID), bkllb.SSHSocketTarget(s.Path)))
	}
	return root.Run(options...)
}

// surroundings returns variables that would otherwise vary and change what a build makes:
// reference time, locale, time zone, hash seed.
func surroundings() []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"LC_ALL=C.UTF-8",
		"TZ=UTC",
		"PYTHONHASHSEED=0",
		"PYTHONDONTWRITEBYTECODE=1",
		"DEBIAN_FRONTEND=noninteractive",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", Epoch),
	}
}

// python returns an exec of the first of our scripts, which has the others next to it and reads
// options. Python starts isolated, so that no site customisation and no locally installed
// package interferes. label names the mount of the scripts.
func python(name, label string, options map[string]any, names ...string) Exec {
	files := scripts.Named(names...)
	files["options.json"] = encode(options) + "\n"
	return Exec{
		Name:   name,
		Args:   []string{"/usr/bin/python3", "-I", "-S", scriptsPath + "/" + names[0], scriptsPath + "/options.json"},
		Mounts: []Mount{{Target: scriptsPath, From: Files(label, files)}},
	}
}

// encode returns options as JSON with sorted keys.
func encode(options map[string]any) string {
	data, err := json.Marshal(options)
	if err != nil {
		panic("internal error: " + err.Error()) // strings, booleans and lists of strings
	}
	return string(data)
}

// list returns s for JSON, never null.
func list(s []string) []string { return append([]string{}, s...) }
