package requirements

import "slices"

// Wishes returns what the set asks for as lines of a requirement file
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/), except
// that a constraint stands behind -c by itself. They are sorted and each there
// once: sets that ask for the same have equal wishes. What an archive below FS
// or a folder of links holds is not part of them.
func (s Set) Wishes() []string {
	wishes := slices.Clone(s.Options)
	for _, r := range s.Requirements {
		wishes = append(wishes, r.Line)
	}
	for _, c := range s.Constraints {
		wishes = append(wishes, "-c "+c.Line)
	}
	if s.IndexURL != "" {
		wishes = append(wishes, "--index-url "+s.IndexURL)
	}
	for _, u := range s.ExtraIndexURLs {
		wishes = append(wishes, "--extra-index-url "+u)
	}
	for _, l := range s.FindLinks {
		wishes = append(wishes, "--find-links "+l)
	}
	if s.NoIndex {
		wishes = append(wishes, "--no-index")
	}
	slices.Sort(wishes)
	return slices.Compact(wishes)
}
