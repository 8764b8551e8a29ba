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

// Where an exec finds what it is given next to its root file system.
const (
	toolsPath   = "/.lamina/tools"
	debsPath    = "/.lamina/debs"
	listsPath   = "/.lamina/lists"
	layerPath   = "/.lamina/layer"
	firstPath   = "/.lamina/first"
	secondPath  = "/.lamina/second"
	scriptsPath = "/.lamina/scripts"
)

// Exec is a command that runs inside a state with the same surroundings on
// every machine, and without a network.
type Exec struct {
	Name    string // what people see in the progress
	Args    []string
	Env     []string // "KEY=value", on top of the fixed ones
	Dir     string   // "/" where empty
	User    string   // root where empty
	Mounts  []Mount
	Caches  []cache.Mount
	Sockets []Socket
	Devices []string // of the engine, by their CDI names: "nvidia.com/gpu=all"
	Here    bool     // no cache outside the engine has what it makes
}

// Mount shows a state to an exec, read-only.
type Mount struct {
	Target string // absolute: where the exec sees it
	From   State
	Source string // absolute: what of From is shown; "" for all of it
}

// Socket is one of the client, which the engine forwards to an exec. Where it leads
// is up to the client: no exec of a build has one.
type Socket struct {
	ID   string // by which the session of the solve knows it
	Path string // where the exec has it
}

// On is root as the exec leaves it.
func (e Exec) On(root State) State { return e.run(root).Root() }

// Output is what the exec, run on root, leaves in a directory that is empty before,
// and nothing else of it.
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

// surroundings are the variables that would otherwise come from somewhere and
// change what a build makes: reference time, locale, time zone, hash seed.
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

// python is an exec of the first of our scripts, which has the others next to it
// and reads options. It starts with nothing but what it names itself, so that no
// site customisation and no locally installed package comes in between. The mount of
// the scripts is called label.
func python(name, label string, options map[string]any, names ...string) Exec {
	files := scripts.Named(names...)
	files["options.json"] = encode(options) + "\n"
	return Exec{
		Name:   name,
		Args:   []string{"/usr/bin/python3", "-I", "-S", scriptsPath + "/" + names[0], scriptsPath + "/options.json"},
		Mounts: []Mount{{Target: scriptsPath, From: Files(label, files)}},
	}
}

// encode gives options as JSON, with its keys in order.
func encode(options map[string]any) string {
	data, err := json.Marshal(options)
	if err != nil {
		panic("internal error: " + err.Error()) // strings, truths and lists of strings
	}
	return string(data)
}

// list is never null to a script.
func list(s []string) []string { return append([]string{}, s...) }
