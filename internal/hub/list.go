package hub

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// List reads a list of files and their hashes, in the format of sha256sum, from a web
// server, and requests the size of each. Paths are relative to the list. It returns the
// files sorted by path, and the digest of the list. An invalid list is a
// [failure.Usage].
func (c *Client) List(ctx context.Context, address string) ([]File, digest.Digest, error) {
	if _, err := InList(address, ""); err != nil {
		return nil, "", failure.New(failure.Usage, fmt.Errorf("reading list %q: %w", fetch.Redact(address), err))
	}
	text, err := c.fetch(ctx, address)
	if err != nil {
		return nil, "", err
	}
	files, err := parseSums(fetch.Redact(address), text.data)
	if err = errors.Join(err, checkPaths(files)); err != nil {
		return nil, "", failure.New(failure.Usage, err)
	}
	if len(files) == 0 {
		return nil, "", failure.New(failure.Usage, fmt.Errorf("list %q has no files", fetch.Redact(address)))
	}
	for i := range files {
		files[i].URL, _ = InList(address, files[i].Path) // as above
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return files, digest.FromBytes(text.data), c.measure(ctx, files)
}

// InList returns the address of a file by its path in a list, which is relative to the
// list. The list's query is not part of it.
func InList(address, path string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return "", errors.New("not a web address")
	case u.User != nil:
		return "", errors.New("it has a user or a password, which would go into the lock")
	}
	escaped := u.EscapedPath()
	return u.Scheme + "://" + u.Host + escaped[:strings.LastIndex(escaped, "/")+1] + escape(path), nil
}

// measure requests the size of each file.
func (c *Client) measure(ctx context.Context, files []File) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i := range files {
		group.Go(func() error {
			return c.retry(files[i].URL).Try(ctx, func() (err error) {
				files[i].Size, err = c.size(ctx, files[i].URL)
				return err
			})
		})
	}
	return group.Wait()
}

// size requests the first byte of a file, since addresses signed for GET forbid HEAD. If
// the server states no length, it counts the bytes.
func (c *Client) size(ctx context.Context, address string) (int64, error) {
	resp, err := c.send(ctx, address, "", "bytes=0-0")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said := resp.Header.Get("Content-Range")
		_, total, _ := strings.Cut(said, "/")
		if n, parseErr := strconv.ParseInt(total, 10, 64); parseErr == nil && n >= 0 {
			return n, nil
		}
		return 0, odd(address, fmt.Sprintf("the range of the answer is %q, without a size", printable(said)))
	}
	if resp.ContentLength >= 0 {
		return resp.ContentLength, nil
	}
	n, err := io.Copy(io.Discard, resp.Body)
	return n, failure.New(failure.Transient, err)
}

// parseSums parses the output of sha256sum: 64 hexadecimal digits, a space, a space
// or a star, and a path. It ignores empty lines and those that begin with "#", and
// reports every wrong line after name and its number.
func parseSums(name string, text []byte) ([]File, error) {
	var files []File
	var problems []error
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
		number++
		row := strings.TrimRight(string(line), "\r\n")
		if row == "" || row[0] == '#' {
			continue
		}
		f, err := parseSum(row)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", name, number, err))
			continue
		}
		files = append(files, f)
	}
	return files, errors.Join(problems...)
}

func parseSum(row string) (File, error) {
	if row[0] == '\\' { // GNU's escape for names with newlines and backslashes
		return File{}, errors.New("the path contains a newline or a backslash")
	}
	const digits = 64
	if len(row) < digits+3 || row[digits] != ' ' || row[digits+1] != ' ' && row[digits+1] != '*' {
		return File{}, errors.New("not a line of sha256sum: 64 hexadecimal digits, two spaces and a path")
	}
	var f File
	f.SHA256, f.Path = strings.ToLower(row[:digits]), strings.TrimPrefix(row[digits+2:], "./")
	if !sha256Hex.MatchString(f.SHA256) {
		return File{}, fmt.Errorf("%q is not a SHA-256", row[:digits])
	}
	if reason := unfit(f.Path); reason != "" {
		return File{}, &PathError{Path: f.Path, Reason: reason}
	}
	return f, nil
}
