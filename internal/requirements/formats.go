package requirements

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The words that stand for projects in a list of --no-binary and --only-binary
// (https://pip.pypa.io/en/stable/cli/pip_install/).
const (
	everyProject = ":all:"
	noProject    = ":none:"
)

// formats are the projects that are wanted only as an sdist or only as a wheel.
type formats struct {
	sdists map[string]bool // --no-binary
	wheels map[string]bool // --only-binary
}

func newFormats() formats { return formats{map[string]bool{}, map[string]bool{}} }

// update adds a list to a set of projects. As in pip the last word on a project
// counts, and what stands behind :all: does only if :none: takes that back.
func update(set, other map[string]bool, list string) error {
	names := strings.Split(list, ",")
	for i := slices.Index(names, everyProject); i >= 0; i = slices.Index(names, everyProject) {
		clear(set)
		clear(other)
		set[everyProject] = true
		names = names[i+1:]
		if !slices.Contains(names, noProject) {
			return nil
		}
	}
	for _, name := range names {
		switch {
		case name == noProject:
			clear(set)
		case !isName(name):
			return fmt.Errorf("%s is not a list of projects, %s or %s", quote(list), everyProject, noProject)
		default:
			set[Normal(name)] = true
			delete(other, Normal(name))
		}
	}
	return nil
}

// options writes what is left of all the lists.
func (f formats) list() []string {
	var list []string
	for option, set := range map[string]map[string]bool{"--no-binary=": f.sdists, "--only-binary=": f.wheels} {
		switch {
		case set[everyProject]:
			list = append(list, option+everyProject)
		case len(set) > 0:
			list = append(list, option+strings.Join(slices.Sorted(maps.Keys(set)), ","))
		}
	}
	return list
}

// byEffect orders options by the alphabet, except that :all: comes first: pip
// lets it clear what stands before it.
func byEffect(a, b string) int {
	every := func(s string) int { return strings.Count(s, "="+everyProject) }
	return cmp.Or(every(b)-every(a), cmp.Compare(a, b))
}
