package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// mostOfDocument is how long an answer of the API may be, in bytes: one about a
// repository lists all its files.
const mostOfDocument = 64 << 20

var commitID = regexp.MustCompile(`^` + lock.CommitPattern + `$`)

// Commit returns the commit that a branch, a tag or a commit of a repository
// "ORG/NAME" stands for now, as 40 hexadecimal digits.
func (c *Client) Commit(ctx context.Context, repo, revision string) (string, error) {
	if err := checkRepo(repo); err != nil {
		return "", err
	}
	if revision == "" || strings.ContainsFunc(revision, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		err := fmt.Errorf("repository %q: revision %q is no name of a branch, a tag or a commit", repo, revision)
		return "", failure.New(failure.Usage, err)
	}
	address := c.apiURL(repo, "revision", revision)
	answer, err := c.fetch(ctx, address, mostOfDocument)
	if err != nil {
		return "", err
	}
	var info struct {
		SHA string `json:"sha"`
	}
	if err := json.Unmarshal(answer.data, &info); err != nil || !commitID.MatchString(info.SHA) {
		return "", odd(address, "it says no commit")
	}
	if commitID.MatchString(revision) && info.SHA != revision {
		return "", odd(address, "it says another commit: "+info.SHA)
	}
	return info.SHA, nil
}
