package hub_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
)

func TestCommit(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{})
	repo := h.Repo(repository, testworld.HubRepoOptions{})
	first := repo.Commit(map[string]testworld.HubFile{"a": testworld.Small("1")})
	second := repo.Commit(map[string]testworld.HubFile{"a": testworld.Small("2")})
	repo.Tag("v1.0", first)
	repo.Tag("refs/pr/1", first)
	repo.Tag("100%?ünïcode#", first)
	c := client(t, hub.Options{Endpoint: h.Endpoint + "/"})
	for revision, want := range map[string]string{
		"main": second, "v1.0": first, "refs/pr/1": first, "100%?ünïcode#": first, "none": "", first: first, second: second,
	} {
		got, err := c.Revision(t.Context(), repository, revision)
		if got.Commit != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", revision, got, err, want)
		}
	}
}

func TestWhatAHubRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, repo, revision string
		token                hub.Token
		reason               hub.Reason
		says, hint           string
	}{
		{"no repository", "Org/none", "main", "", hub.NoRepository, `has no repository "Org/none", or it is private`, "a private one needs HF_TOKEN"},
		{"no repository, with a token", "Org/none", "main", token, hub.NoRepository, `has no repository "Org/none"`, "the account of HF_TOKEN may read it"},
		{"private", "Org/private", "main", "", hub.NoRepository, `has no repository "Org/private", or it is private`, "a private one needs HF_TOKEN"},
		{"private, for another", "Org/private", "main", other, hub.NoRepository, "or it is private", "the account of HF_TOKEN may read it"},
		{"no revision", repository, "v9", "", hub.NoRevision, `repository "Org/Model-1.0" has no branch, tag or commit "v9"`, "/hub/Org/Model-1.0/tree/main"},
		{"unknown token", repository, "main", "hf_falsch", hub.BadToken, "rejects the token", "/hub/settings/tokens"},
	}
	h := testworld.New(t).Hub(testworld.HubOptions{Token: token, Other: other})
	h.Repo(repository, testworld.HubRepoOptions{}).Commit(nil)
	h.Repo("Org/private", testworld.HubRepoOptions{Private: true}).Commit(nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := client(t, hub.Options{Endpoint: h.Endpoint, Token: tt.token})
			_, err := c.Revision(t.Context(), tt.repo, tt.revision)
			checkRefused(t, err, tt.reason, failure.Usage, tt.says, tt.hint)
		})
	}
	if c := client(t, hub.Options{Endpoint: h.Endpoint, Token: token}); true {
		if _, err := c.Revision(t.Context(), "Org/private", "main"); err != nil {
			t.Errorf("private, with its owner's token: %v", err)
		}
	}
}

func checkRefused(t *testing.T, err error, reason hub.Reason, kind failure.Kind, says, hint string) {
	t.Helper()
	var refused *hub.RefusedError
	if !errors.As(err, &refused) || refused.Reason != reason {
		t.Fatalf("got %v, want the reason %d", err, reason)
	}
	if got := failure.KindOf(err); got != kind {
		t.Errorf("kind is %d, want %d", got, kind)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("got %q, want %q", err, says)
	}
	if got := strings.Join(failure.Hints(err), "\n"); !strings.Contains(got, hint) || hint == "" && got != "" {
		t.Errorf("hints are %q, want %q", got, hint)
	}
}

// TestBareStatuses has a mirror that returns only a status.
func TestBareStatuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code   int
		token  hub.Token
		reason hub.Reason
		kind   failure.Kind
		says   string
		hint   string
	}{
		{401, "", hub.NoRepository, failure.Usage, "or it is private", "HF_TOKEN"},
		{401, token, hub.BadToken, failure.Usage, "rejects the token", "HF_TOKEN"},
		{403, token, hub.Forbidden, failure.Usage, "refuses access to http://127.0.0.1", "what the token in HF_TOKEN may read"},
		{404, "", hub.NoRepository, failure.Usage, "has no repository", "HF_TOKEN"},
		{418, "", hub.Odd, failure.Failure, "answers 418 to http://127.0.0.1", ""},
		{500, "", hub.Down, failure.Transient, "gave up after 6 attempts: 127.0.0.1", ""},
		{504, "", hub.Down, failure.Transient, "answers 504", ""},
		{429, "", hub.Busy, failure.Transient, "accepts no more requests for now", "set HF_TOKEN for higher limits"},
		{429, token, hub.Busy, failure.Transient, "accepts no more requests for now", "try again later"},
	}
	for _, tt := range tests {
		t.Run(http.StatusText(tt.code), func(t *testing.T) {
			t.Parallel()
			h := testworld.New(t).Hub(testworld.HubOptions{})
			h.Fail("/hub/**", testworld.Status(tt.code, testworld.Always))
			c := client(t, hub.Options{Endpoint: h.Endpoint, Token: tt.token})
			_, err := c.Revision(t.Context(), repository, "main")
			checkRefused(t, err, tt.reason, tt.kind, tt.says, tt.hint)
		})
	}
}

func TestADisabledRepository(t *testing.T) {
	t.Parallel()
	c := client(t, hub.Options{HTTP: fetch.Options{Transport: answer(403, "", http.Header{"X-Error-Message": {"Access to this resource is disabled."}})}})
	_, err := c.Revision(t.Context(), repository, "main")
	checkRefused(t, err, hub.Disabled, failure.Usage, `repository "Org/Model-1.0" was disabled by huggingface.co`, "")
}

// answer is a server with a single answer.
func answer(code int, body string, header http.Header) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r, ContentLength: int64(len(body)),
		}, nil
	})
}

func TestWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	for body, revision := range map[string]string{
		"<html>": "main", `{"sha": 1}`: "main", `{"sha": "main"}`: "main", `{}`: "main", `{"sha": "` + two + `"}`: one,
	} {
		c := client(t, hub.Options{HTTP: fetch.Options{Transport: answer(200, body, nil)}})
		_, err := c.Revision(t.Context(), repository, revision)
		var odd *hub.AnswerError
		if !errors.As(err, &odd) || !strings.Contains(err.Error(), "https://huggingface.co/api/models/Org/Model-1.0/revision/") {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestWhatIsNoRepository(t *testing.T) {
	t.Parallel()
	c := client(t, hub.Options{HTTP: fetch.Options{Transport: answer(200, "", nil)}})
	for _, repo := range []string{"", "gpt2", "a/b/c", "/b", "a/", "../b", "a/..", "a/b--c", "a/b.git", "-a/b", "a/b.", "a/b?c", "a/b c", "ä/b", "a/" + strings.Repeat("b", 97)} {
		_, err := c.Revision(t.Context(), repo, "main")
		_, treeErr := c.Tree(t.Context(), repo, strings.Repeat("1", 40))
		if failure.KindOf(err) != failure.Usage || failure.KindOf(treeErr) != failure.Usage {
			t.Errorf("%q: got %v, %v", repo, err, treeErr)
		}
	}
	for _, revision := range []string{"", "a b", "a\nb", "a\x7f"} {
		if _, err := c.Revision(t.Context(), repository, revision); failure.KindOf(err) != failure.Usage {
			t.Errorf("%q: got %v", revision, err)
		}
	}
}
