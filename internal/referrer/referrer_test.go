package referrer_test

import (
	"errors"
	"testing"

	"lamina.build/internal/referrer"
)

// An artifact of others may hold any number of documents, and is told from one that is damaged.
func TestUnreadable(t *testing.T) {
	for manifest, want := range map[string]bool{`{"layers":[]}`: true, `{"layers":[{},{}]}`: true, `{"layers":[{}]}`: false, `{`: false} {
		if _, err := referrer.Document([]byte(manifest)); errors.Is(err, referrer.ErrUnreadable) != want {
			t.Errorf("%s: %v", manifest, err)
		}
	}
}
