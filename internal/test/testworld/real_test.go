package testworld

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A mirror that fails once isn't taken for one that can't be reached.
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
