package testworld

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// A mirror that fails once doesn't count as unreachable.
func TestReach(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	if err := firstSuccess(0, func() error { return head(server.URL) }); err != nil || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	server.Close()
	if err := firstSuccess(0, func() error { return head(server.URL) }); err == nil {
		t.Error("a server that is gone was reached")
	}
}

// Without a network, each test that needs one reports that in a line.
func TestWithoutNetwork(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	t.Setenv("LAMINA_DEBIAN_MIRROR", server.URL)
	s := &skips{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		RealMirrors(s)
		t.Error("it goes on")
	}()
	<-ended
	if strings.Count(s.why, "\n") > 0 || !strings.Contains(s.why, "skipped by -short") && !strings.Contains(s.why, "mirror can't be reached: ") {
		t.Errorf("it is skipped because of %q", s.why)
	}
}

// skips is a test that records why it is skipped.
type skips struct {
	testing.TB

	why string
}

func (s *skips) Skip(args ...any) {
	s.why = fmt.Sprint(args...)
	runtime.Goexit()
}

func (s *skips) Skipf(format string, args ...any) { s.Skip(fmt.Sprintf(format, args...)) }
