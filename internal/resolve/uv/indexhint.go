package uv

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"deps.dev/util/semver"

	"lamina.build/internal/resolve/door"
)

// noIndexes says which indexes look as if their addresses were wrong: they have
// nothing of all that was asked for.
func (o Options) noIndexes(ctx context.Context, d *door.Door) []string {
	files, ok, gone := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range d.Files() {
		files[f.Index] = files[f.Index] || door.IsArchive(f.Name)
	}
	for _, seen := range d.Seen() {
		if seen.Index != "" {
			ok[seen.Index] = ok[seen.Index] || seen.Status == http.StatusOK
			gone[seen.Index] = gone[seen.Index] || seen.Status == http.StatusNotFound
		}
	}
	var hints []string
	for index := range ok {
		switch {
		case files[index]: // it has something
		case ok[index]:
			hints = append(hints, fmt.Sprintf("the pages of %s have no links to files: is it a package index?", index))
		case gone[index] && o.answersNotFound(ctx, index+"/"):
			hints = append(hints, fmt.Sprintf("%s answers 404 for every project, is the path right?", index))
		}
	}
	slices.Sort(hints)
	return hints
}

func (o Options) answersNotFound(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := o.HTTP.Do(ctx, req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusNotFound
}

var noVersion = regexp.MustCompile(`there is no version of ([A-Za-z0-9._-]+?)(?:\[[^]]*\])?[=<>!~]`)

// mostVersions is how many versions are told.
const mostVersions = 8

// missed tells which versions there are of projects that don't have the one that
// is wanted, the newest first.
func missed(message string, files map[string]door.File) []string {
	var hints []string
	for _, found := range noVersion.FindAllStringSubmatch(message, -1) {
		project := normal(found[1])
		var versions []string
		for _, f := range files {
			if f.Project == project {
				_, version := door.ReadName(f.Name)
				versions = append(versions, version)
			}
		}
		slices.SortFunc(versions, func(a, b string) int { return semver.PyPI.Compare(b, a) })
		versions = slices.Compact(versions)
		if more := len(versions) - mostVersions; more > 0 {
			versions = append(versions[:mostVersions], fmt.Sprintf("and %d older ones", more))
		}
		if hint := project + ": its index has " + strings.Join(versions, ", "); len(versions) > 0 && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	return hints
}
