// Package shapes has functions of all shapes.
package shapes

// List is generic.
type List[T any] struct{ items []T }

// Add has a receiver without a use and a parameter without a name.
func (*List[T]) Add(_ T, _, by int) int { return by + 1 }

// Put returns nothing.
func (l *List[T]) Put(items ...T) {
	l.items = append(l.items, items...)
	l.items = l.items[1:]
}

// Zero has a type that no argument tells.
func Zero[T any](bool, ...int) (list []T, ok bool) {
	list = make([]T, 2)
	return list, true
}

var total = count(3)

func count(n int) int { return n * 2 }

func init() { total += 5 }
