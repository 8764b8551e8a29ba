// Package calc has each kind of place that a mutation changes.
package calc

import (
	"errors"
	"sync"
)

// Limit is a constant with arithmetic in it.
const Limit = 4 << 10

// Table counts what it was given.
type Table struct {
	mu    sync.Mutex
	names []string `json:"names"` // a tag stays
	count int
}

// Add takes a name, and refuses an empty one.
func (t *Table) Add(name string) error {
	t.mu.Lock() // a lock stays
	defer t.mu.Unlock()
	if name == "" {
		return errors.New("no name")
	}
	t.names = append(t.names, name)
	t.count++
	return nil
}

// Sum adds up what is small, until one is too large.
func Sum(numbers ...int) (total int, whole bool) {
	for _, n := range numbers {
		if n < 0 {
			continue
		}
		switch {
		case n >= 100 && total > 0:
			return total, false
		}
		total += n
	}
	return total, true
}

// Both is a comparison and a call with no result.
func Both[T any](a, b T, same func(a, b T) bool) T {
	var left T
	left = a
	note("both")
	if ok := same(a, b); ok == true {
		return left
	}
	return *new(T)
}

func note(string) {}

// Unused is of no use where its only use is gone, so that doesn't compile.
func Unused() int {
	kept := 1
	return kept
}

// Double is what another package has a test for.
func Double(n int) int { return n * 2 }
