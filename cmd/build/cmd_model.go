package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"lamina.build/internal/fault"
	"lamina.build/internal/model"
	"lamina.build/lock"
)

// modelOptions are the flags of all model commands; each lists those it has.
type modelOptions struct {
	progressFlags
	name     string
	dir      string
	insecure bool
	force    bool
	layer    string
	mount    []string
	json     bool
	files    bool
}

// modelCommand is one word that may follow "build model".
type modelCommand struct {
	name     string
	synopsis string
	flags    func(o *modelOptions) []flagGroup
	run      func(ctx context.Context, a *app, o modelOptions, args []string) error
}

func modelCommands() []modelCommand {
	return []modelCommand{
		{"push", "stream a model's files into a registry, as layers that images are then built on", pushFlags, pushModel},
		{"pull", "stream them into an OCI layout on this machine, for builds without a registry", pullFlags, pullModel},
		{"ls", "list models, files, sizes and layers, and where they are", listFlags, listModels},
	}
}

func (o *modelOptions) which(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "spec", "", "the `FOLDER` with the image.toml and its lock, in place of the current one")
	f.StringVar(&o.name, "model", "", "the model with this `NAME`, as \"build model ls\" prints it; needed where there are several")
}

func pushFlags(o *modelOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF PUSH", func(f *pflag.FlagSet) {
		o.which(f)
		f.BoolVar(&o.insecure, "insecure-registry", false,
			"push by plain HTTP, or to a registry whose certificate nobody signed")
		f.StringVar(&o.layer, "max-layer", "",
			"the registry takes layers up to this `SIZE`, whatever is known of it: 20GB")
		f.BoolVar(&o.force, "no-limits", false, "don't hold the layers against what is known of the registry")
		f.StringArrayVar(&o.mount, "mount-from", nil,
			"another `REPOSITORY` of the registry that may have the layers already; may be repeated")
		o.addProgress(f)
	})}
}

func pullFlags(o *modelOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF PULL", func(f *pflag.FlagSet) {
		o.which(f)
		o.addProgress(f)
	})}
}

func listFlags(o *modelOptions) []flagGroup {
	return []flagGroup{group("FLAGS OF LS", func(f *pflag.FlagSet) {
		o.which(f)
		f.BoolVar(&o.files, "files", false, "list the files of each layer, too")
		f.BoolVar(&o.json, "json", false, "print JSON")
	})}
}

func modelHelp() string {
	all := modelCommands()
	rows := make([][2]string, 0, len(all))
	groups := make([]flagGroup, 0, len(all))
	for _, c := range all {
		rows = append(rows, [2]string{c.name, c.synopsis})
		groups = append(groups, c.flags(&modelOptions{})...)
	}
	return page{
		about: `
Move the weights of a spec's models once, so that no build ever moves them again.

"build model push REF" streams every file from where it was locked to a registry:
nothing is written to disk, whatever the size, and what the registry has is not
sent again. A push that was cut goes on where it was, also in another process.
The lock then says where the layers are; builds merge them into the image
without pulling them.

"build model pull" does the same into an OCI layout, by default one in the cache
folder, which all builds on this machine look into.

A build that finds its models in neither has the engine fetch them.`,
		usage: []string{
			"build model push REF [flags]", "build model pull [FOLDER] [flags]", "build model ls [flags]",
		},
		commands: rows,
		groups:   groups,
		examples: `
$ build model ls --spec examples/wan
$ HF_TOKEN=… build model push ghcr.io/acme/wan-weights:2.2
$ build model pull weights && build --models weights`,
		more: []section{{"ENVIRONMENT", `
HF_TOKEN      token for the Hugging Face hub; goes to its host alone
HF_ENDPOINT   another hub than https://huggingface.co`}},
	}.String()
}

func (c modelCommand) word() string { return c.name }

func runModel(ctx context.Context, a *app, args []string) error {
	c, err := member("model", modelCommands(), args)
	if err != nil {
		return err
	}
	var o modelOptions
	rest, err := parse(c.flags(&o), args[1:])
	if err != nil {
		return err
	}
	a.ui.quiet = o.mode.value == "quiet"
	return c.run(ctx, a, o, rest)
}

// dirs is the folder that --spec names, if any.
func (o *modelOptions) dirs() []string {
	if o.dir == "" {
		return nil
	}
	return []string{o.dir}
}

// lockedModels is a project with a lock that fits it.
type lockedModels struct {
	*project

	lock  lock.Lock
	names []string // of the lock's models, as of [project.modelNames]
}

// openLocked opens the project of a model command.
func (a *app) openLocked(o modelOptions) (*lockedModels, error) {
	dir, err := a.findDir(o.dirs())
	if err != nil {
		return nil, err
	}
	p, err := a.openProject(dir)
	if err != nil {
		return nil, err
	}
	m := &lockedModels{project: p}
	if err := m.read(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return m, nil
}

func (m *lockedModels) read() (err error) {
	var ok bool
	if m.lock, ok, err = m.readLock(); err == nil && !ok {
		err = fault.WithHint(fault.New(fault.Findings, fmt.Errorf("%s does not exist", m.lockPath())),
			fmt.Sprintf("\"build lock %s\" makes it", m.dir))
	}
	if err = errors.Join(err, driftOf(m.project, m.lock, ok)); err != nil {
		return err
	}
	m.names, err = m.modelNames(m.lock)
	return err
}

// pick is the one model that a command is about.
func (m *lockedModels) pick(name string) (int, error) {
	var found []int
	for i, one := range m.lock.Models {
		if name == "" || m.names[i] == name || model.Name(one.ModelRequest) == name || one.From == name || one.Path == name {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(m.lock.Models) == 0:
		err := fault.New(fault.Usage, errors.New("the lock has no model"))
		return 0, fault.WithHint(err, "a [[model]] from hf:// or https:// is locked by \"build lock\"; one from a folder needs none of this")
	case len(found) == 0:
		return 0, fault.New(fault.Usage, fmt.Errorf("no model is called %q: there are %s", name, strings.Join(m.names, ", ")))
	}
	list := make([]string, len(found))
	for k, i := range found {
		list[k] = m.names[i] + " at " + m.lock.Models[i].Path
	}
	err := fault.New(fault.Usage, fmt.Errorf("several models fit: %s", strings.Join(list, ", ")))
	return 0, fault.WithHint(err, "--model takes the name of one, or its path")
}
