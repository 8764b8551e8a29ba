package spec

import (
	"fmt"

	"lamina.build/internal/near"
)

// didYouMean ends a message about an unknown word with the word that was
// likely meant, and with nothing where no known word is near.
func didYouMean(word string, known []string) string {
	if meant := near.Word(word, known, near.Distance); meant != "" {
		return fmt.Sprintf(", did you mean %q?", meant)
	}
	return ""
}
