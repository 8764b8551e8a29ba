package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build"
	"lamina.build/internal/failure"
)

// heading is the annotation of a flag that names its heading in the help.
const heading = "heading"

// section adds flags to a command, under one heading of its help, and registers
// the completion of their values.
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

// completion completes the value of a flag by the name that help gives that value.
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

// variants completes the variants of the spec that args name.
func variants(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	p, err := lamina.Open(dir, lamina.Options{})
	if err != nil { // reported when the command runs
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

// Type is the value's name in the help.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set implements [pflag.Value].
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("not one of %s", strings.Join(c.words, ", "))
	}
	c.value = word
	return nil
}

// engineFlags adds the flags that choose the engine.
func engineFlags(c *cobra.Command, o *lamina.Options) {
	section(c, "ENGINE FLAGS", func(f *pflag.FlagSet) {
		f.StringArrayVar(&o.Engines, "addr", nil, "use the engine at this `ADDRESS`, unix://… or tcp://…, instead of finding or starting one; may be repeated: if one fails or is lost, the next is used")
		f.StringVar(&o.Builder, "builder", "", "use the docker buildx builder with this `NAME`")
		f.StringVar(&o.EngineTLS.CACert, "tlscacert", "", "`FILE` of the CA that must have issued the certificate of an engine at tcp://…")
		f.StringVar(&o.EngineTLS.Cert, "tlscert", "", "`FILE` of the client certificate for that engine")
		f.StringVar(&o.EngineTLS.Key, "tlskey", "", "`FILE` of the client certificate's key")
		f.StringVar(&o.EngineTLS.ServerName, "tlsservername", "", "`HOST` that the engine's certificate is for, if its address has another")
		engineConfigFlag(f, o)
	})
}

// engineConfigFlag adds the flag that configures our own engine.
func engineConfigFlag(f *pflag.FlagSet, o *lamina.Options) {
	f.StringVar(&o.EngineConfig, "engine-config", "", "start the private engine with this `FILE`, a buildkitd.toml, instead of the default one")
}

// sourceFlags adds the flags for the sources of packages.
func sourceFlags(f *pflag.FlagSet, o *lamina.Options) {
	f.StringVar(&o.DebianMirror, "debian-mirror", "", "fetch Debian packages from this `URL`, or name=URL,… for repositories by name")
	f.StringVar(&o.PythonIndex, "python-index", "", "resolve Python packages from the index at this `URL` if neither requirement files nor [[python.index]] name one (default: PyPI)")
}

// mirrorFlags adds the flags for builds from what has been vendored.
func mirrorFlags(f *pflag.FlagSet, o *lamina.Options) {
	f.StringVar(&o.Mirror, "mirror", "", "use the packages, trees and models in this `MIRROR`, a directory or oci://… that \"build vendor\" filled; fetch others as usual")
	f.BoolVar(&o.Offline, "offline", false, "use no network: build from the engine's cache and --mirror only")
}

// signFlags adds the flags for signing.
func signFlags(f *pflag.FlagSet, s *lamina.Signing, what string) {
	f.StringVar(&s.Key, "sign", "", what+", with the private key in this `FILE` (PEM, or cosign's with COSIGN_PASSWORD); "+
		"\"keyless\": with the identity token from SIGSTORE_ID_TOKEN or GitHub Actions")
	f.StringVar(&s.Fulcio, "fulcio-url", "", "`URL` of the Fulcio server that certifies identities (default: sigstore's)")
	f.StringVar(&s.Rekor, "rekor-url", "", "`URL` of the Rekor server that logs their signatures (default: sigstore's)")
}

// trustFlags adds the flags that name accepted signers.
func trustFlags(f *pflag.FlagSet, t *lamina.Trust) {
	f.StringVar(&t.Key, "key", "", "require a signature that the public key in this `FILE` verifies")
	f.StringVar(&t.Identity, "certificate-identity", "", "require a signature by this `IDENTITY` in a certificate: an email address or a workflow's URL")
	f.StringVar(&t.Issuer, "certificate-oidc-issuer", "", "`URL` of the issuer of the identity's tokens")
	f.StringVar(&t.TrustedRoot, "trusted-root", "", "`FILE` with the trusted authorities and logs (default: those of sigstore's public instances)")
}

// insecureFlag adds the flag for registries without valid TLS.
func insecureFlag(f *pflag.FlagSet, insecure *bool, which string) {
	f.BoolVar(insecure, "insecure-registry", false, "allow plain HTTP and untrusted certificates for "+which)
}

// specFlag adds the flag for the directory of a spec.
func specFlag(f *pflag.FlagSet, dir *string) {
	f.StringVar(dir, "spec", "", "use the image.toml and lock in this `DIR` (default: the current directory)")
}

// jsonFlag adds the flag for a result as JSON.
func jsonFlag(f *pflag.FlagSet, asJSON *bool) { f.BoolVar(asJSON, "json", false, "print JSON") }

// progressFlag adds the flag for what to show while an engine works or a model is transferred.
func progressFlag(f *pflag.FlagSet) *choice {
	mode := &choice{"auto", []string{"auto", "plain", "tty", "rawjson", "quiet"}}
	f.Var(mode, "progress", "how to show what the engine does: a view by stage (tty), lines that begin with their step and stage (plain), "+
		"BuildKit's own events (rawjson), or nothing (quiet); auto is tty on a terminal, else plain")
	return mode
}

// parseSize reads a size such as "20GB" in powers of ten, as disks are sold. Empty is zero.
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
