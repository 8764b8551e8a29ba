package door

import (
	"context"
	"fmt"
	"net/url"

	"lamina.build/internal/fetch"
)

// Key is an address in the spelling that addresses are compared by.
func Key(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return key(u.ResolveReference(u)) // without dots in its path
}

// ReadPage returns what the page at an address says of files, by the [Key] of
// each: of one that did not pass a door. Errors are those of fetch.
func ReadPage(ctx context.Context, client *fetch.Client, address string) (map[string]File, error) {
	body, err := client.Get(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := plain(body.Header.Get("Content-Encoding"), body)
	u, _ := url.Parse(body.URL) // links are relative to where it came from
	var list []File
	if err == nil {
		list, err = parsePage(body.Header.Get("Content-Type"), u, data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", fetch.Redact(address), err)
	}
	files := make(map[string]File, len(list))
	for _, f := range list {
		files[Key(f.URL)] = f
	}
	return files, nil
}
