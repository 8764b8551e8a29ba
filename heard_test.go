package lamina

import (
	"testing"

	"github.com/moby/buildkit/client"
)

// What pushes report comes between what an engine reports, and none of it is lost at the end.
func TestNextOfTwoStreams(t *testing.T) {
	steps, sent := make(chan *client.SolveStatus, 2), make(chan *client.SolveStatus, 2)
	for range 2 {
		steps <- &client.SolveStatus{}
		sent <- &client.SolveStatus{}
	}
	close(steps)
	n := 0
	for {
		s, more := next(steps, sent)
		if !more {
			break
		}
		if n++; s == nil {
			t.Fatal("there is an empty status")
		}
	}
	if n != 4 {
		t.Errorf("got %d of 4", n)
	}
	close(sent)
	if _, more := next(steps, nil); more {
		t.Error("a stream that has ended goes on")
	}
}
