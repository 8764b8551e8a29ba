package referrer_test

import (
	"errors"
	"testing"

	"lamina.build/internal/referrer"
)

// A foreign artifact may have any number of documents, which is not the same error as a damaged one.
func TestUnreadable(t *testing.T) {
	for manifest, want := range map[string]bool{`{"layers":[]}`: true, `{"layers":[{},{}]}`: true, `{"layers":[{}]}`: false, `{`: false} {
		if _, err := referrer.Document([]byte(manifest)); errors.Is(err, referrer.ErrUnreadable) != want {
			t.Errorf("%s: %v", manifest, err)
		}
	}
}
