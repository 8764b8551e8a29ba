package uv_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

var (
	errMismatch = errors.New("fetch: digest mismatch sha256:0: sha256:1")
	errOther    = errors.New("unexpected EOF")
)

func TestDiagnose(t *testing.T) {
	tests := []struct {
		name    string
		corrupt func(*testworld.World)
		told    error
		kind    failure.Kind
		says    string
		hint    string
	}{
		{"gone", status(404), errMismatch, failure.Failure, "the server no longer has it (404)", `run "build lock" to lock what the index has now`},
		{"gone for good", status(410), errMismatch, failure.Failure, "the server no longer has it (410)", `run "build lock" to lock what the index has now`},
		{"no login", status(401), errMismatch, failure.Usage, "it requires a login, but none was sent", "put a login for 127.0.0.1 into ~/.netrc"},
		{"forbidden", status(403), errMismatch, failure.Usage, "it requires a login, but none was sent", "put a login for 127.0.0.1 into ~/.netrc"},
		{"down", status(503), errMismatch, failure.Transient, "the server answers 503", ""},
		{"busy", status(429), errMismatch, failure.Transient, "the server answers 429", ""},
		{"off", (*testworld.World).Stop, errMismatch, failure.Transient, "connection refused", "check the network, the name of the host, and HTTPS_PROXY"},
		{"other bytes", nil, errMismatch, failure.Failure, uv.ErrBytes.Error() + ": " + errMismatch.Error(), "a proxy may have altered it, or its index may have replaced it: find out which before you lock again"},
		{"another error", nil, errOther, failure.Transient, errOther.Error(), ""},
		{"odd status", status(418), errOther, failure.Transient, errOther.Error(), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := testworld.New(t)
			w.Put("a.whl", []byte("content"))
			if tt.corrupt != nil {
				tt.corrupt(w)
			}
			d := lock.Distribution{Name: "a", Version: "1.0", URL: w.URL + "/a.whl?sig=geheim"}
			err := uv.Diagnose(t.Context(), client(nil), d, tt.told)
			if !strings.Contains(err.Error(), "a 1.0") || !strings.Contains(err.Error(), "/a.whl?…") || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %q, want %q", err, tt.says)
			}
			if got := failure.KindOf(err); got != tt.kind {
				t.Errorf("kind is %d, want %d", got, tt.kind)
			}
			if hints := failure.Hints(err); tt.hint == "" && len(hints) > 0 || tt.hint != "" && !slices.Equal(hints, []string{tt.hint}) {
				t.Errorf("hints are %q, want %q", hints, tt.hint)
			}
			if tt.name == "other bytes" && (!errors.Is(err, uv.ErrBytes) || !errors.Is(err, tt.told)) {
				t.Errorf("the cause is hidden in %v", err)
			}
		})
	}
}

func client(logins uv.Logins) *fetch.Client {
	return fetch.New(fetch.Options{Attempts: 1, Logins: logins.For})
}

// Permanent errors are reported and not retried.
func TestDiagnoseOfWhatStays(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	refusing := fetch.New(fetch.Options{Transport: proxy{}})
	for hint, c := range map[string]*fetch.Client{"certificate store": client(nil), "check HTTPS_PROXY and NO_PROXY": refusing} {
		err := uv.Diagnose(t.Context(), c, lock.Distribution{Name: "a", Version: "1.0", URL: s.URL + "/a.whl"}, errMismatch)
		if got := failure.KindOf(err); got != failure.Failure || !strings.Contains(strings.Join(failure.Hints(err), "\n"), hint) || errors.Is(err, uv.ErrBytes) {
			t.Errorf("kind is %d, hints are %q: %v", got, failure.Hints(err), err)
		}
	}
}

// proxy lets nothing through.
type proxy struct{}

func (proxy) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &fetch.ProxyError{Host: "proxy.example:3128", Code: http.StatusProxyAuthRequired}
}

func status(code int) func(*testworld.World) {
	return func(w *testworld.World) { w.Fail("/a.whl", testworld.Status(code, testworld.Always)) }
}

func TestDiagnoseLogsIn(t *testing.T) {
	w := testworld.New(t)
	w.Put("files/a.whl", []byte("content"))
	w.Protect("files", "me", "geheim")
	d := lock.Distribution{Name: "a", Version: "1.0", URL: w.URL + "/files/a.whl"}
	for password, want := range map[string]failure.Kind{"geheim": failure.Failure, "geheimer": failure.Usage} {
		logins := uv.Logins{"127.0.0.1": {User: "me", Password: password}}
		err := uv.Diagnose(t.Context(), client(logins), d, errMismatch)
		if refused := strings.Contains(err.Error(), "it rejects the login"); refused != (want == failure.Usage) {
			t.Errorf("got %v", err)
		}
		if got := failure.KindOf(err); got != want {
			t.Errorf("kind is %d, want %d: %v", got, want, err)
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestDiagnoseOfWhatIsNoURL(t *testing.T) {
	err := uv.Diagnose(t.Context(), client(nil), lock.Distribution{Name: "a", Version: "1.0", URL: "http://[::1"}, errMismatch)
	if !strings.Contains(err.Error(), "a 1.0: ") {
		t.Errorf("got %v", err)
	}
}
