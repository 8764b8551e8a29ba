package failure

import "fmt"

// DidYouMean returns the end of a message about an unknown word: the known word that was
// probably meant, or nothing if none is close.
func DidYouMean(word string, known []string) string {
	if meant := Closest(word, known, Distance); meant != "" {
		return fmt.Sprintf(", did you mean %q?", meant)
	}
	return ""
}

// Closest returns the known word that is closest to a misspelt one, the first of several.
// A third of the letters may be wrong, at least one and at most three; if no word is that
// close, it returns "". distance is [Distance] or a more specific rule.
func Closest(word string, known []string, distance func(a, b string, limit int) int) string {
	closest, limit := "", max(1, min(len(word)/3, 3))
	for _, k := range known {
		if d := distance(word, k, limit); d <= limit {
			closest, limit = k, d-1
		}
	}
	return closest
}

// Distance counts the letters to insert, remove, replace or swap with their neighbour to
// turn a into b. It returns limit+1 for anything above limit.
func Distance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) > limit {
		return limit + 1
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return limit + 1
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], limit+1)
}
