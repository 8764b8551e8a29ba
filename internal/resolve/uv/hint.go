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

// noIndexes returns hints about indexes whose addresses look wrong: they had none of the
// requested projects.
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
		case files[index]: // it has files
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

// mostVersions limits the versions in a hint.
const mostVersions = 8

// missed returns hints with the available versions, newest first, of projects that lack the
// required one.
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

// ErrBytes is returned for a file that differs from the lock.
var ErrBytes = errors.New("the content differs from the lock")

// Diagnose explains why an engine could not download a distribution, by asking its server.
// The engine hashes any response, so that a 404 page is a digest mismatch to it; told is the
// engine's error. The client sends the logins.
func Diagnose(ctx context.Context, client *fetch.Client, d lock.Distribution, told error) error {
	what := fmt.Sprintf("fetching %s %s from %s", d.Name, d.Version, fetch.Redact(d.URL))
	body, err := client.Get(ctx, d.URL) // like the engine: addresses signed for GET forbid HEAD
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
		return failure.WithHint(err, "a proxy may have altered it, or its index may have replaced it: find out which before you lock again")
	}
	return failure.New(failure.Transient, fmt.Errorf("%s: %w", what, told))
}

// isMismatch reports whether an engine's error is about a different hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
