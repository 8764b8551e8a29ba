package calc

import "testing"

func TestSum(t *testing.T) {
	if got, whole := Sum(1, -1, 2); got != 3 || !whole {
		t.Errorf("got %d, %t", got, whole)
	}
	if got, whole := Sum(1, 100, 2); got != 1 || whole {
		t.Errorf("got %d, %t", got, whole)
	}
}
