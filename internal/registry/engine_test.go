package registry_test

import (
	"errors"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// An engine's error about a registry has the kind and the hint that our own client would
// give it, and hides the location of its upload.
func TestExplainEngine(t *testing.T) {
	const push = "failed to solve: failed to push r.example/app: "
	for _, tt := range []struct {
		said string
		kind failure.Kind
		hint string
	}{
		{push + "unexpected status from PUT request to https://r.example/v2/app/blobs/uploads/0123?_state=abc&digest=sha256%3A00: 413 Request Entity Too Large", failure.Failure, "raise the limit"},
		{push + "failed to copy: unexpected status from POST request to https://me:pw@r.example/v2/app/blobs/uploads/?from=0123&mount=abc: 401 Unauthorized", failure.Usage, "docker login"},
		{push + "unexpected status from PUT request to https://s3.example/0123?X-Amz-Signature=abc: 503 Service Unavailable", failure.Transient, "try again"},
		{push + "unexpected status from PUT request to https://r.example/v2/app/manifests/1: 429 Too Many Requests", failure.Transient, "try again"},
		{push + "unexpected status from PUT request to https://r.example/x: 507 Insufficient Storage", failure.Failure, "quota"},
		{push + "denied: adding 1 GiB exceeds the quota", failure.Failure, "quota"},
		{push + "denied: not you", failure.Usage, "docker login"},
		{push + "unauthorized: authentication required", failure.Usage, "docker login"},
		{push + "toomanyrequests: later", failure.Transient, "try again"},
		{push + "unsupported: the operation is unsupported", failure.Failure, "read-only"},
		{push + "unknown: unknown error", failure.Transient, "try again"},
		{push + "push access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", failure.Usage, "docker login"},
		{push + "something else", failure.Failure, ""},
	} {
		err := registry.ExplainEngine(errors.New(tt.said))
		if got := failure.KindOf(err); got != tt.kind {
			t.Errorf("got kind %d of %v, want %d", got, err, tt.kind)
		}
		if hints := strings.Join(failure.Hints(err), "; "); !strings.Contains(hints, tt.hint) || (tt.hint == "") != (hints == "") {
			t.Errorf("got hints %q of %v", hints, err)
		}
		for _, secret := range []string{"0123?", "abc", "pw"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q is revealed: %v", secret, err)
			}
		}
		if !strings.HasPrefix(err.Error(), push) {
			t.Errorf("got %v", err)
		}
	}
	const uploads, end = "unexpected status from PUT request to https://r.example/v2/app/blobs/uploads/", ": 413 Request Entity Too Large"
	if err := registry.ExplainEngine(errors.New(push + uploads + "0123?_state=abc" + end)); err.Error() != push+uploads+end {
		t.Errorf("more or less than the location of an upload is hidden: %v", err)
	}
	marked := failure.WithHint(failure.New(failure.Usage, errors.New("no TLS")), "known")
	if err := registry.ExplainEngine(marked); failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) != 1 {
		t.Errorf("got %v with hints %q of an explained error", err, failure.Hints(err))
	}
}

// A registry that refuses a push tells us the reason, too; one that accepts it gives no error.
func TestDiagnose(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := registry.Options{Insecure: true}
	if err := registry.Diagnose(t.Context(), r.Host+"/app:1", o); err != nil {
		t.Error(err)
	}
	r.Fail("POST /v2/app/**", testworld.Status(503, testworld.Always))
	if err := registry.Diagnose(t.Context(), r.Host+"/app:1", o); failure.KindOf(err) != failure.Transient {
		t.Errorf("got %v", err)
	}
}
