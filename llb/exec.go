package llb

import (
	"fmt"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
)

// Where an exec finds what it is given beside its root file system.
const (
	toolsPath   = "/.lamina/tools"
	debsPath    = "/.lamina/debs"
	scriptsPath = "/.lamina/scripts"
)

// Exec is a command that runs inside a state with the same surroundings on
// every machine, and without a network.
type Exec struct {
	Name   string // what people see in the progress
	Args   []string
	Env    []string // "KEY=value", on top of the fixed ones
	Dir    string   // "/" where empty
	User   string   // root where empty
	Mounts []bkllb.RunOption
	GPU    bool // ask the engine for all NVIDIA devices through CDI
}

// With returns e with further mounts.
func (e Exec) With(mounts ...bkllb.RunOption) Exec {
	e.Mounts = slices.Concat(e.Mounts, mounts)
	return e
}

// On returns the exec with root as its root file system.
func (e Exec) On(root State) bkllb.ExecState {
	options := []bkllb.RunOption{
		bkllb.Args(e.Args),
		bkllb.Network(pb.NetMode_NONE),
		bkllb.Hostname("lamina"),
		bkllb.WithCustomName(e.Name),
	}
	for _, kv := range slices.Concat(surroundings(), e.Env) {
		options = append(options, env(kv))
	}
	if e.Dir != "" {
		options = append(options, bkllb.Dir(e.Dir))
	}
	if e.User != "" {
		options = append(options, bkllb.User(e.User))
	}
	if e.GPU {
		options = append(options, bkllb.AddCDIDevice(bkllb.CDIDeviceName("nvidia.com/gpu=all")))
	}
	return root.Run(append(options, e.Mounts...)...)
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

// Mount shows from, read-only, at target.
func Mount(target string, from State, options ...bkllb.MountOption) bkllb.RunOption {
	return bkllb.AddMount(target, from, append(options, bkllb.Readonly)...)
}

// MountAt shows what from has at path, read-only, at the same path.
func MountAt(path string, from State) bkllb.RunOption {
	return Mount(path, from, bkllb.SourcePath(path))
}

func env(kv string) bkllb.StateOption {
	key, value, _ := strings.Cut(kv, "=")
	return bkllb.AddEnv(key, value)
}
