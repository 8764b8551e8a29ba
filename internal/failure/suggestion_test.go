package failure_test

import (
	"testing"

	"lamina.build/internal/failure"
)

func TestClosest(t *testing.T) {
	known := []string{"image", "lock", "look", "engine", "version", "locked", "looked", "production"}
	tests := []struct{ name, word, want string }{
		{"a letter is missing", "imge", "image"},
		{"a letter too many", "imagee", "image"},
		{"another letter", "lick", "lock"},
		{"two letters swapped", "lokc", "lock"},
		{"the first of two", "loxk", "lock"},
		{"the nearer of two", "lok", "lock"},
		{"nearer than the first", "lookedd", "looked"},
		{"three letters of a long word", "prodkshun", ""},
		{"two letters of a long word", "prdouctoin", "production"},
		{"two letters of a short word", "lo", ""},
		{"nothing like it", "registry", ""},
		{"no word", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := failure.Closest(tt.word, known, failure.Distance); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.word, got, tt.want)
			}
		})
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"--hash", "--no-index"}
	for word, want := range map[string]string{"--no-idex": `, did you mean "--no-index"?`, "--pre": "", "": ""} {
		if got := failure.DidYouMean(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 3, 0},
		{"same", "same", 0, 0},
		{"name", "", 9, 4},
		{"kitten", "sitting", 9, 3},
		{"naem", "name", 9, 1},
		{"abcd", "badc", 9, 2},
		{"kitten", "sitting", 2, 3},
		{"a", "abcdefgh", 2, 3},
		{"abcdefgh", "zyxwvuts", 2, 3},
		{"abc", "abc", -1, 0},
	}
	for _, tt := range tests {
		got, back := failure.Distance(tt.a, tt.b, tt.limit), failure.Distance(tt.b, tt.a, tt.limit)
		if got != tt.want || back != tt.want {
			t.Errorf("%q and %q within %d: got %d, and %d the other way round, want %d",
				tt.a, tt.b, tt.limit, got, back, tt.want)
		}
	}
}

// FuzzDistanceKeepsItsLimit compares with the unlimited distance.
func FuzzDistanceKeepsItsLimit(f *testing.F) {
	f.Add("production", "prdouctoin", 2)
	f.Add("ab", "ba", 0)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		if len(a) > 64 || len(b) > 64 || limit < 0 || limit > 64 {
			t.Skip()
		}
		if got, want := failure.Distance(a, b, limit), min(failure.Distance(a, b, 128), limit+1); got != want {
			t.Errorf("%q and %q within %d: got %d, want %d", a, b, limit, got, want)
		}
	})
}
