package user

import "testing"

func TestFour(t *testing.T) {
	if got := Four(); got != 4 {
		t.Errorf("got %d", got)
	}
}
