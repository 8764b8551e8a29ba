package door

import (
	"context"
	"fmt"
	"net/url"

	"lamina.build/internal/fetch"
)

// ReadPage returns what the page at an address says of files, by their
// addresses: of one that did not pass a door. Errors are those of fetch.
func ReadPage(ctx context.Context, client *fetch.Client, address string) (map[string]File, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("reading the address of a page: %w", err)
	}
	data, answered, err := client.Read(ctx, address, pageLimit)
	if err != nil {
		return nil, err
	}
	list, err := parsePage(answered.Get("Content-Type"), u, data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", fetch.Redact(address), err)
	}
	files := make(map[string]File, len(list))
	for _, f := range list {
		files[f.URL] = f
	}
	return files, nil
}
