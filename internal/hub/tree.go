package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// Limits of a repository: enough for any model, and a stop for a hub whose list never
// ends.
const (
	mostPages = 10_000
	mostFiles = 1_000_000
)

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Revision is a repository at a commit.
type Revision struct {
	Commit   string   // 40 hexadecimal digits
	Licenses []string // by the hub's names for them, from its card
}

// Revision returns what a branch, tag or commit of a repository "ORG/NAME" currently names.
func (c *Client) Revision(ctx context.Context, repo, revision string) (r Revision, err error) {
	if err = checkRepo(repo); err != nil {
		return r, err
	}
	if revision == "" || strings.ContainsFunc(revision, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		err = fmt.Errorf("repository %q: revision %q is not the name of a branch, a tag or a commit", repo, revision)
		return r, failure.New(failure.Usage, err)
	}
	address := c.apiURL(repo, "revision", revision)
	answer, err := c.fetch(ctx, address)
	if err != nil {
		return r, err
	}
	var info struct {
		SHA      string          `json:"sha"`
		CardData json.RawMessage `json:"cardData"`
	}
	if err := json.Unmarshal(answer.data, &info); err != nil || !lock.IsCommit(info.SHA) {
		return r, odd(address, "the answer has no commit")
	}
	if lock.IsCommit(revision) && info.SHA != revision {
		return r, odd(address, "the answer has another commit: "+info.SHA)
	}
	return Revision{Commit: info.SHA, Licenses: licenses(info.CardData)}, nil
}

// licenses reads those of a card, which is free text: one or a list, and the name of one
// that the hub calls "other".
func licenses(card json.RawMessage) []string {
	var said struct {
		License any    `json:"license"`
		Name    string `json:"license_name"`
	}
	if json.Unmarshal(card, &said) != nil {
		return nil
	}
	var names []string
	list, several := said.License.([]any)
	if !several {
		list = []any{said.License}
	}
	for _, one := range list {
		if name, ok := one.(string); ok && name != "other" {
			names = append(names, name)
		} else if ok && said.Name != "" {
			names = append(names, said.Name)
		}
	}
	return names
}

// Tree lists the files of a repository "ORG/NAME" at a commit, sorted by path.
// Those in large file storage have their SHA-256, the others their git hash. Paths that
// no image can hold are reported together, as [PathError]s.
func (c *Client) Tree(ctx context.Context, repo, commit string) ([]File, error) {
	if err := checkRepo(repo); err != nil {
		return nil, err
	}
	if !lock.IsCommit(commit) {
		return nil, fmt.Errorf("repository %q: %q is not a commit", repo, commit)
	}
	entries, err := c.pages(ctx, c.apiURL(repo, "tree", commit)+"?recursive=True&expand=False")
	if err != nil {
		return nil, err
	}
	files, err := filesOf(entries)
	if err = errors.Join(err, checkPaths(files)); err != nil {
		return nil, fmt.Errorf("listing repository %q: %w", repo, err)
	}
	for i := range files {
		files[i].URL = c.fileURL(repo, commit, files[i].Path)
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return files, nil
}

// pages reads a list page by page.
func (c *Client) pages(ctx context.Context, address string) ([]treeEntry, error) {
	var all []treeEntry
	for n, seen := 0, map[string]bool{}; address != ""; n++ {
		if seen[address] || n == mostPages || len(all) > mostFiles {
			return nil, odd(address, "its list of files does not end")
		}
		seen[address] = true
		answer, err := c.fetch(ctx, address)
		if err != nil {
			return nil, err
		}
		var page []treeEntry
		if err = json.Unmarshal(answer.data, &page); err != nil {
			return nil, odd(address, "not a list of files: "+err.Error())
		}
		all = append(all, page...)
		if address, err = c.nextPage(answer); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nextPage must be on the hub, since the hashes in it are trusted.
func (c *Client) nextPage(page document) (string, error) {
	link, found := fetch.NextLink(page.header)
	if !found {
		return "", nil
	}
	next, err := page.at.Parse(link)
	if err != nil || !sameHost(next, c.endpoint) {
		return "", odd(page.at.String(), "its next page is on another host")
	}
	return next.String(), nil
}

// treeEntry is an entry of the API's answer.
type treeEntry struct {
	Type string `json:"type"` // file or directory
	Path string `json:"path"`
	Size int64  `json:"size"`
	OID  string `json:"oid"` // git's hash: of a large file, that of its pointer
	LFS  *struct {
		OID  string `json:"oid"` // the SHA-256
		Size int64  `json:"size"`
	} `json:"lfs"`
	XetHash string `json:"xetHash"`
}

func filesOf(entries []treeEntry) (files []File, err error) {
	for _, e := range entries {
		if e.Type != "file" {
			continue
		}
		f, fileErr := e.file()
		files, err = append(files, f), errors.Join(err, fileErr)
	}
	return files, err
}

func (e treeEntry) file() (File, error) {
	f := File{ModelFile: lock.ModelFile{Path: e.Path, Size: e.Size}}
	switch {
	case e.LFS != nil:
		f.SHA256, f.Size = e.LFS.OID, e.LFS.Size
	case e.XetHash == "": // else git has a pointer, and Lock has nothing to compare with
		f.GitOID = e.OID
	}
	if f.Size < 0 || f.SHA256 != "" && !sha256Hex.MatchString(f.SHA256) || f.GitOID != "" && !lock.IsCommit(f.GitOID) {
		return f, &PathError{Path: f.Path, Reason: "its size or its hash is invalid"}
	}
	return f, nil
}
