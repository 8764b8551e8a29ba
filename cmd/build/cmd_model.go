package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/humanize"
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
	run      func(ctx context.Context, a *app, p *lamina.Project, o modelOptions, args []string) error
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

func runModel(ctx context.Context, a *app, args []string) (err error) {
	c, err := member("model", modelCommands(), args)
	if err != nil {
		return err
	}
	var o modelOptions
	rest, err := parse(c.flags(&o), args[1:])
	if err != nil {
		return err
	}
	a.ui.quiet, a.ui.mode = o.mode.value == "quiet", o.mode.value
	if err = a.ui.checkProgress(); err != nil {
		return err
	}
	dir, err := a.findDir(o.dirs())
	if err != nil {
		return err
	}
	p, err := a.open(dir, lamina.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return c.run(ctx, a, p, o, rest)
}

// dirs is the folder that --spec names, if any.
func (o *modelOptions) dirs() []string {
	if o.dir == "" {
		return nil
	}
	return []string{o.dir}
}

func pushModel(ctx context.Context, a *app, p *lamina.Project, o modelOptions, args []string) error {
	if len(args) != 1 {
		err := failure.New(failure.Usage, errors.New("model push needs one reference: where to"))
		return failure.WithHint(err, "build model push registry.example/weights:1")
	}
	layer, err := parseSize(o.layer)
	if err != nil {
		return fmt.Errorf("flag --max-layer: %w", err)
	}
	moved, err := p.Push(ctx, args[0], lamina.PushOptions{Model: o.name, Insecure: o.insecure, MaxLayer: layer, NoLimits: o.force, MountFrom: o.mount})
	if err != nil {
		return err
	}
	what := "published"
	if moved.Unchanged {
		what = "was published already"
	}
	return a.ui.result(fmt.Sprintf("%s %s: %s, %s\n%s\n",
		moved.Model.Name(), what, humanize.Count(moved.Layers, "layer"), humanize.Size(moved.Model.Size()), moved.Model.Published))
}

func pullModel(ctx context.Context, a *app, p *lamina.Project, o modelOptions, args []string) error {
	if len(args) > 1 {
		return failure.New(failure.Usage, errors.New("model pull takes one folder at most"))
	}
	moved, err := p.Pull(ctx, o.name, strings.Join(args, ""))
	if err != nil {
		return err
	}
	return a.ui.result(fmt.Sprintf("%s in %s: %s, %s\n%s\n",
		moved.Model.Name(), moved.Dir, humanize.Count(moved.Layers, "layer"), humanize.Size(moved.Model.Size()), moved.Manifest))
}

func listModels(ctx context.Context, a *app, p *lamina.Project, o modelOptions, args []string) error {
	if len(args) > 1 {
		return failure.New(failure.Usage, errors.New("model ls takes one folder at most: that of a layout"))
	}
	list, err := p.Models(ctx, o.name, strings.Join(args, ""))
	if err != nil {
		return err
	}
	if !o.json {
		return a.ui.result(modelTable(list, o.files))
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return a.ui.result(string(data) + "\n")
}

func modelTable(models []lamina.ListedModel, files bool) string {
	if len(models) == 0 {
		return "no model is locked\n"
	}
	var b strings.Builder
	for _, m := range models {
		fmt.Fprintf(&b, "%s  %s in %s\n  from       %s\n", m.Name, humanize.Size(m.Size), humanize.Count(len(m.Layers), "layer"), m.From)
		if m.Commit != "" {
			fmt.Fprintf(&b, "  commit     %s\n", m.Commit)
		}
		fmt.Fprintf(&b, "  in image   %s\n  published  %s\n  layout     %s\n", m.Path, orNowhere(m.Published), orNowhere(m.Layout))
		for _, l := range m.Layers {
			fmt.Fprintf(&b, "  %10s  %s\n", humanize.Size(l.Size), l.Name)
			for _, f := range l.Files {
				if files {
					fmt.Fprintf(&b, "    %10s  %s  %s\n", humanize.Size(f.Size), f.SHA256[:12], f.Path)
				}
			}
		}
	}
	return b.String()
}

func orNowhere(place string) string {
	if place == "" {
		return "nowhere"
	}
	return place
}
