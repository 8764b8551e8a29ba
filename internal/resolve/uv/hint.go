package uv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"deps.dev/util/semver"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
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

// ErrBytes is returned for a file whose bytes are not those that were locked.
var ErrBytes = errors.New("the content differs from the lock")

// Diagnose says why an engine could not fetch a distribution, by asking its
// server. The engine hashes whatever a server answers, so that a page that
// says 404 is a wrong hash to it; told is what the engine made of it. The client
// sends the logins.
func Diagnose(ctx context.Context, client *fetch.Client, d lock.Distribution, told error) error {
	what := fmt.Sprintf("fetching %s %s from %s", d.Name, d.Version, fetch.Redact(d.URL))
	body, err := client.Get(ctx, d.URL) // as the engine does: addresses that are signed for GET forbid HEAD
	if err == nil {
		err = body.Close()
	}
	status, answered := errors.AsType[*fetch.StatusError](err)
	switch {
	case err != nil && (!answered || status.Code == http.StatusProxyAuthRequired):
		return fmt.Errorf("%s %s: %w", d.Name, d.Version, fetch.Explain(err))
	case !answered: // all is well
	case status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden:
		return failure.New(failure.Usage, fmt.Errorf("%s %s: %w", d.Name, d.Version, fetch.Explain(err)))
	case status.Code == http.StatusNotFound || status.Code == http.StatusGone:
		err = fmt.Errorf("%s: the server no longer has it (%d)", what, status.Code)
		return failure.WithHint(err, "run \"build lock\" to lock what the index has now")
	case failure.KindOf(fetch.Explain(err)) == failure.Transient:
		return failure.New(failure.Transient, fmt.Errorf("%s: the server answers %d", what, status.Code))
	}
	if isMismatch(told) {
		err = fmt.Errorf("%s: %w: %w", what, ErrBytes, told)
		return failure.WithHint(err, "a proxy may have altered it, or its index may have replaced it; compare before you lock again")
	}
	return failure.New(failure.Transient, fmt.Errorf("%s: %w", what, told))
}

// isMismatch knows the engine's word for bytes with another hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
