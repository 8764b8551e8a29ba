package hub_test

import (
	"errors"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
)

var (
	errDigest = errors.New("fetch: digest mismatch sha256:0: sha256:1")
	errOther  = errors.New("no space left on device")
)

func TestDiagnose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		corrupt func(*testworld.Hub)
		told    error
		kind    failure.Kind
		says    string
		hint    string
	}{
		{"other bytes", nil, errDigest, failure.Failure, hub.ErrBytes.Error() + ": " + errDigest.Error(), "a proxy may have altered it"},
		{"another error", nil, errOther, failure.Transient, errOther.Error(), ""},
		{"gone", func(h *testworld.Hub) { h.Drop(repository) }, errDigest, failure.Usage, "has no repository", "HF_TOKEN"},
		{"gated since", func(h *testworld.Hub) {
			h.Repo(repository, testworld.HubRepoOptions{Gated: true}).Commit(map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("text"))})
		}, errDigest, failure.Usage, "is gated", "accept the terms"},
		{"busy", func(h *testworld.Hub) { h.Fail("/**", testworld.Later(429, "60", 1)) }, errDigest, failure.Transient, "accepts no more requests for 1m0s", "set HF_TOKEN"},
		{"down", func(h *testworld.Hub) { h.CDN.Fail("/**", testworld.Status(503, 1)) }, errDigest, failure.Transient, "answers 503", ""},
		{"off", func(h *testworld.Hub) { h.CDN.Stop() }, errDigest, failure.Transient, "connection refused", "HTTPS_PROXY"},
		{"expired", func(h *testworld.Hub) { h.CDN.Fail("/**", testworld.Status(403, 1)) }, errDigest, failure.Transient, "to which http://127.0.0.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("text"))})
			if tt.corrupt != nil {
				tt.corrupt(h)
			}
			err := c.Diagnose(t.Context(), files["f"].ModelFile, tt.told)
			if !strings.HasPrefix(err.Error(), `fetching "f": `) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q, want %q", err, tt.says)
			}
			if got := failure.KindOf(err); got != tt.kind {
				t.Errorf("kind is %d, want %d", got, tt.kind)
			}
			if got := strings.Join(failure.Hints(err), "\n"); !strings.Contains(got, tt.hint) || tt.hint == "" && got != "" {
				t.Errorf("hints are %q, want %q", got, tt.hint)
			}
			if tt.corrupt == nil && !errors.Is(err, tt.told) || h.Requests("/**")+h.CDN.Requests("/**") > 2 {
				t.Errorf("got %v after %d and %d requests", err, h.Requests("/**"), h.CDN.Requests("/**"))
			}
			if sent := h.CDN.Sent("/**"); tt.corrupt == nil && sent != 1 {
				t.Errorf("%d bytes were sent", sent)
			}
		})
	}
}

func TestDiagnoseOfAnEmptyFile(t *testing.T) {
	t.Parallel()
	_, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Small("")})
	if err := c.Diagnose(t.Context(), files["f"].ModelFile, errDigest); !errors.Is(err, hub.ErrBytes) {
		t.Errorf("got %v", err)
	}
}
