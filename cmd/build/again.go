package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// forOnce are the flags of a build that say nothing of the image: where it goes, and how this
// once it is made.
var forOnce = []string{
	"output", "tag", "push", "load", "quiet", "attach", "metadata-file", "iidfile", "cache-from", "cache-to",
	"relock", "no-cache", "check-reproducible", "print", "progress",
}

// withLogin is an address that has one, which no summary tells.
var withLogin = regexp.MustCompile(`://[^/]*@`)

// again are the words of a command that builds the same image once more.
func again(f *pflag.FlagSet, args []string) []string {
	words := append(called(os.Args[0]), args...)
	f.Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if flag.Name == "annotation" && (strings.HasPrefix(value, "manifest-descriptor") || strings.HasPrefix(value, "index")) {
				continue // the image's digest knows nothing of it, and a docker archive has no place for it
			}
			if !slices.Contains(forOnce, flag.Name) && !withLogin.MatchString(value) {
				words = append(words, "--"+flag.Name+"="+value)
			}
		}
	})
	return words
}

// goRuns is where "go run" has a program: in a directory that is gone when it has ended, or
// in Go's build cache, which calls it by a hash.
var goRuns = regexp.MustCompile(`go-build.*/exe/[^/]+$|/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)

// called is how a program was called.
func called(program string) []string {
	info, ok := debug.ReadBuildInfo()
	if ok && goRuns.MatchString(filepath.ToSlash(program)) {
		return []string{"go", "run", info.Path}
	}
	return []string{program}
}
