package python

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/internal/report"
	"lamina.build/llb"
)

// check refuses what would fail after gigabytes were fetched: projects that are
// known not to get along, files that two of them own, scripts in the place of
// Debian's.
func (o Options) check(r Request, a answer, there inventory) error {
	faults := []error{enemies(r.Set, a)}
	o.tellTwice(r, a, there)
	prune, allowed := llb.Exclude(r.Prune).Matcher(), llb.Exclude(r.Collisions).Matcher()
	owners := map[string]owner{}
	clashes := map[[2]string][]string{}
	for _, d := range a.Distributions {
		if d.wheel == nil {
			continue
		}
		for _, m := range d.wheel.Files {
			subject := strings.TrimPrefix(m.Target, outside)
			if prune(subject) || allowed(subject) {
				continue
			}
			if first, taken := owners[m.Target]; taken && first.dist != d && (first.Size != m.Size || first.Sum != m.Sum) {
				pair := [2]string{first.dist.title(), d.title()}
				clashes[pair] = append(clashes[pair], subject)
			} else if !taken {
				owners[m.Target] = owner{m, d}
			}
			faults = append(faults, shadowing(r, d, m, there))
		}
	}
	pairs := slices.SortedFunc(maps.Keys(clashes), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, pair := range pairs {
		faults = append(faults, clash(r, pair, clashes[pair]))
	}
	return errors.Join(faults...)
}

type owner struct {
	member
	dist *distribution
}

func enemies(set string, a answer) error {
	faults := Enemies(a.projects())
	for i, err := range faults {
		faults[i] = fmt.Errorf("%s: %w", set, err)
	}
	return fault.New(fault.Usage, errors.Join(faults...))
}

func clash(r Request, pair [2]string, files []string) error {
	slices.Sort(files)
	more := ""
	if len(files) > 1 {
		more = " and " + report.Count(len(files)-1, "more file")
	}
	err := fault.New(fault.Usage, fmt.Errorf("%s: %s and %s both hold %s%s, with different content", r.Set, pair[0], pair[1], files[0], more))
	second, _, _ := strings.Cut(pair[1], " ")
	return fault.WithHint(err, fmt.Sprintf(
		"leave one of them out wherever it is asked for, as with excludes = [%q] under [python], or allow harmless ones: collisions = [\"GLOB\"]", second,
	))
}

// shadowing refuses a script that would run in place of a program of Debian's,
// which scripts of Debian call, too.
func shadowing(r Request, d *distribution, m member, there inventory) error {
	name, ok := strings.CutPrefix(m.Target, outside+"bin/")
	if _, debians := there.Image[d.Name]; !ok || debians || !slices.Contains(there.Programs, name) {
		return nil
	}
	err := fault.New(fault.Usage, fmt.Errorf("%s: the script bin/%s of %s would run in place of Debian's program %s", r.Set, name, d.title(), name))
	return fault.WithHint(err, fmt.Sprintf("collisions = [\"bin/%s\"] under [python] would allow that", name))
}

// tellTwice tells what comes from an index and from Debian.
func (o Options) tellTwice(r Request, a answer, there inventory) {
	var twice []string
	for _, d := range a.Distributions {
		if version, ok := there.Image[d.Name]; ok {
			twice = append(twice, fmt.Sprintf("%s (%s, and Debian's %s)", d.Name, d.Version, version))
		}
	}
	if len(twice) > 0 {
		slices.Sort(twice)
		o.Note(fmt.Sprintf("%s: in the image twice, from an index and from Debian: %s", r.Set, strings.Join(twice, ", ")))
	}
}
