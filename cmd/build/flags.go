package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build/internal/failure"

	"lamina.build"
)

// heading is the annotation of a flag that says under which heading help has it.
const heading = "heading"

// section gives a command flags, under one heading of its help, and tells shells
// how to complete their values.
func section(c *cobra.Command, title string, add func(f *pflag.FlagSet)) {
	f := pflag.NewFlagSet(title, pflag.ContinueOnError)
	f.SortFlags = false
	add(f)
	c.Flags().SortFlags = false
	c.Flags().AddFlagSet(f)
	f.VisitAll(func(flag *pflag.Flag) {
		flag.Annotations = map[string][]string{heading: {title}}
		_ = c.RegisterFlagCompletionFunc(flag.Name, completion(flag)) // once for each flag
	})
}

// completion is how the value of a flag is completed, by what help calls it.
func completion(flag *pflag.Flag) cobra.CompletionFunc {
	if c, ok := flag.Value.(*choice); ok {
		return cobra.FixedCompletions(c.words, cobra.ShellCompDirectiveNoFileComp)
	}
	switch name, _ := pflag.UnquoteUsage(flag); name {
	case "VARIANT":
		return variants
	case "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "FILE":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}

// variants are those of the spec that the words before are about.
func variants(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	p, err := lamina.Open(dir, lamina.Options{})
	if err != nil { // told when it is run
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer p.Close()
	return p.Variants(), cobra.ShellCompDirectiveNoFileComp
}

// oneDir completes the only argument of a command.
func oneDir(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// choice is a flag whose value is one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }

// Type is what help shows for the value.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set implements [pflag.Value].
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("not one of %s", strings.Join(c.words, ", "))
	}
	c.value = word
	return nil
}

// engineFlags say which engine to use.
func engineFlags(c *cobra.Command, o *lamina.Options) {
	section(c, "ENGINE FLAGS", func(f *pflag.FlagSet) {
		f.StringArrayVar(&o.Engines, "addr", nil,
			"use the engine at this `ADDRESS`, unix://… or tcp://…, instead of finding or starting one; "+
				"may be repeated: the next one is used where one fails or is lost")
		f.StringVar(&o.Builder, "builder", "", "use the builder of docker buildx that has this `NAME`")
		f.StringVar(&o.EngineTLS.CACert, "tlscacert", "", "`FILE` of the authority that an engine at tcp://… must have its certificate from")
		f.StringVar(&o.EngineTLS.Cert, "tlscert", "", "`FILE` of the certificate that we show to such an engine")
		f.StringVar(&o.EngineTLS.Key, "tlskey", "", "`FILE` of the certificate's key")
		f.StringVar(&o.EngineTLS.ServerName, "tlsservername", "", "`HOST` that the engine's certificate is for, where its address has another one")
		engineConfigFlag(f, o)
	})
}

// engineConfigFlag says what an engine of our own is started with.
func engineConfigFlag(f *pflag.FlagSet, o *lamina.Options) {
	f.StringVar(&o.EngineConfig, "engine-config", "", "start an engine of our own with this `FILE`, a buildkitd.toml, and not with the usual one")
}

// sourceFlags say where packages come from.
func sourceFlags(f *pflag.FlagSet, o *lamina.Options) {
	f.StringVar(&o.DebianMirror, "debian-mirror", "",
		"fetch Debian packages from this `URL`, or name=URL,… for repositories by name")
	f.StringVar(&o.PythonIndex, "python-index", "",
		"resolve Python packages from the index at this `URL`, where neither requirement files nor "+
			"[[python.index]] name one (default: PyPI)")
}

// progressFlag says what to show while an engine works, or a model moves.
func progressFlag(f *pflag.FlagSet) *choice {
	mode := &choice{"auto", []string{"auto", "plain", "tty", "rawjson", "quiet"}}
	f.Var(mode, "progress", "how to show what the engine does: a view by stage (tty), lines that begin with their step and stage (plain), "+
		"BuildKit's own events (rawjson), or nothing; auto is tty on a terminal, else plain")
	return mode
}

// parseSize reads "20GB" as disks are sold: in powers of ten. Nothing is zero.
func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	number, unit := s, ""
	if i := strings.IndexFunc(s, func(r rune) bool { return r >= 'A' }); i >= 0 {
		number, unit = strings.TrimSpace(s[:i]), strings.ToUpper(s[i:])
	}
	factor, ok := map[string]float64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n >= 0 && n*factor < 1<<62) {
		return 0, failure.New(failure.Usage, fmt.Errorf("%q is not a size such as 500MB or 20GB", s))
	}
	return int64(n * factor), nil
}
