package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"

	"github.com/spf13/pflag"

	"lamina.build/output"
)

// forOnce are the flags that don't affect the image: where it goes, and how this one
// build runs.
var forOnce = []string{
	"output", "tag", "push", "load", "quiet", "attach", "metadata-file", "iidfile", "cache-from", "cache-to",
	"relock", "no-cache", "check-reproducible", "print", "progress",
}

// withLogin matches an address with a login, which no summary may print.
var withLogin = regexp.MustCompile(`://[^/]*@`)

// again returns the words of a command that builds the same image again.
func again(f *pflag.FlagSet, args []string) []string {
	words := append(called(os.Args[0]), args...)
	f.Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if flag.Name == "annotation" && !annotatesManifest(value) {
				continue // it doesn't affect the image's digest, and a docker archive has no place for it
			}
			if !slices.Contains(forOnce, flag.Name) && !withLogin.MatchString(value) {
				words = append(words, "--"+flag.Name+"="+value)
			}
		}
	})
	return words
}

// annotatesManifest reports whether an annotation is one of an image's manifest, too.
func annotatesManifest(text string) bool {
	list, _ := output.ParseAnnotation(text)
	return slices.ContainsFunc(list, func(a output.Annotation) bool { return !a.Index && !a.Descriptor })
}

// goRuns matches the paths of programs under "go run": in a directory that is removed when
// they end, or in Go's build cache, named by a hash.
var goRuns = regexp.MustCompile(`go-build.*/exe/[^/]+$|/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// called returns how the program was called.
func called(program string) []string {
	info, ok := debug.ReadBuildInfo()
	if ok && goRuns.MatchString(filepath.ToSlash(program)) {
		return []string{"go", "run", info.Path}
	}
	return []string{program}
}
