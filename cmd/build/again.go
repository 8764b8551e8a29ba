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
	"output", "tag", "push", "load", "quiet", "metadata-file", "iidfile", "cache-from", "cache-to",
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
			if flag.Name == "annotation" && strings.HasPrefix(value, "manifest-descriptor") {
				continue // no digest knows of it, and a docker archive has no place for it
			}
			if !slices.Contains(forOnce, flag.Name) && !withLogin.MatchString(value) {
				words = append(words, "--"+flag.Name+"="+value)
			}
		}
	})
	return words
}

// called is how a program was called. What "go run" calls is gone when it has ended.
func called(program string) []string {
	info, ok := debug.ReadBuildInfo()
	if ok && strings.Contains(program, "go-build") && filepath.Base(filepath.Dir(program)) == "exe" {
		return []string{"go", "run", info.Path}
	}
	return []string{program}
}
