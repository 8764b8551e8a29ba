package shapes

import "testing"

func TestShapes(t *testing.T) {
	var l List[string]
	l.Put("a", "b", "c")
	list, ok := Zero[int](true, 1, 2)
	if l.Add("", 1, 2) != 3 || len(l.items) != 2 || len(list) != 2 || !ok || total != 11 {
		t.Error(l, list, ok, total)
	}
}
