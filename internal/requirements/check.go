package requirements

import (
	"embed"
	"fmt"
)

// Check says what is wrong with a single requirement that stands in no file: a
// name or an archive's URL, without options and logins.
func Check(text string) error {
	r := newReader(Options{FS: embed.FS{}}) // no file lies beside it
	req, err := r.requirement(line{}, text)
	if err == nil && req.Name == "" {
		return fmt.Errorf("%s has no name", quote(text))
	}
	return err
}
