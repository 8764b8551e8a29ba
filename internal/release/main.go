// Command release packs Lamina for machines without Go: for each platform a tarball with
// the command, for Linux also its engine (buildkitd, the supervisor, runc), and the
// licences of everything in it. The same checkout gives the same bytes, wherever and
// whenever it is run.
//
//	go run ./internal/release -version v1.2.3 -out dist
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/engine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // a program of its own
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil { //nolint:forbidigo // as above
		fmt.Fprintln(os.Stderr, "release:", err) //nolint:forbidigo // as above
		os.Exit(1)                               //nolint:forbidigo,gocritic // as above; nothing is left to stop
	}
}

// options configure a release.
type options struct {
	version, out, cache, mirror string
	platforms                   []string
	say                         func(line string)
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o := options{say: func(line string) { fmt.Fprintln(stderr, line) }}
	flags.StringVar(&o.version, "version", "", "what `build version` prints, such as v1.2.3")
	flags.StringVar(&o.out, "out", "dist", "directory of the tarballs and SHA256SUMS")
	flags.StringVar(&o.mirror, "debian-mirror", os.Getenv("LAMINA_DEBIAN_MIRROR"), "where to fetch runc from") //nolint:forbidigo // as above
	platforms := flags.String("platforms", "linux/amd64,linux/arm64,darwin/arm64", "platforms to build for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.version == "" || strings.ContainsAny(o.version, " /'\"\\") || flags.NArg() > 0 {
		return fmt.Errorf("a release requires -version, such as v1.2.3, and accepts no further arguments: %q", args)
	}
	o.platforms = strings.Split(*platforms, ",")
	for _, p := range o.platforms {
		if !slices.Contains([]string{"linux/amd64", "linux/arm64", "darwin/arm64"}, p) {
			return fmt.Errorf("there is no release for platform %q", p)
		}
	}
	var err error
	if o.cache, err = os.UserCacheDir(); err != nil {
		return err
	}
	o.cache = filepath.Join(o.cache, "lamina")
	if err = sameEverywhere(ctx); err != nil {
		return err
	}
	return o.pack(ctx)
}

// sameEverywhere overrides what the user's environment would change in a program: it uses
// the compiler of go.mod, with default settings.
func sameEverywhere(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.GoVersion}}").Output()
	if err != nil {
		return fmt.Errorf("asking go for its version in go.mod: %w", err)
	}
	for name, value := range map[string]string{
		"GOTOOLCHAIN": "go" + strings.TrimSpace(string(out)), "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOEXPERIMENT": "",
		"GOAMD64": "v1", "GOARM64": "v8.0", "GOFIPS140": "off", "CGO_ENABLED": "0",
	} {
		if err = os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// pack writes the tarballs, and finally the list of their hashes.
func (o options) pack(ctx context.Context) error {
	var sums strings.Builder
	for _, platform := range slices.Sorted(slices.Values(o.platforms)) {
		name := "lamina-" + o.version + "-" + strings.ReplaceAll(platform, "/", "-")
		o.say("packing " + name)
		files, err := o.files(ctx, platform)
		if err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		sum := digest.SHA256.Digester()
		err = atomicfile.Stream(filepath.Join(o.out, name+".tar.gz"), 0o644, func(w io.Writer) error {
			return tarball(io.MultiWriter(w, sum.Hash()), name, files)
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s.tar.gz\n", sum.Digest().Encoded(), name)
	}
	return atomicfile.Write(filepath.Join(o.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// files returns those of a platform's tarball. The command contains the hashes of the programs
// next to it, so it is compiled last.
func (o options) files(ctx context.Context, platform string) (files []file, err error) {
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	read := func(name string) error {
		data, problem := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // created here
		files = append(files, file{name: name, data: data, program: true})
		return problem
	}
	system, arch, _ := strings.Cut(platform, "/")
	if system == "linux" {
		if err = engine.Compile(ctx, dir, arch, o.say); err == nil {
			files, err = o.runc(ctx, arch)
		}
		if err = cmp.Or(err, read("buildkitd"), read("supervisor")); err != nil {
			return nil, err
		}
	}
	var sums []string
	for _, f := range files {
		if f.program {
			sums = append(sums, f.name+"="+digest.FromBytes(f.data).Encoded())
		}
	}
	slices.Sort(sums)
	if err = command(ctx, filepath.Join(dir, "build"), system, arch, o.version, strings.Join(sums, ",")); err == nil {
		err = read("build")
	}
	if err != nil {
		return nil, err
	}
	licences, err := licencesOf(ctx, files)
	return append(files, licences...), err
}

// command compiles the command. Omitting grpc's trace page makes it a fifth smaller.
func command(ctx context.Context, path, system, arch, version, sums string) error {
	//nolint:gosec // our own
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "grpcnotrace",
		"-ldflags", "-s -w -X lamina.build.release="+version+" -X lamina.build/internal/engine.shipped="+sums, "-o", path, "lamina.build/cmd/build")
	cmd.Env = append(cmd.Environ(), "GOOS="+system, "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the command: %w\n%s", err, out)
	}
	return nil
}
