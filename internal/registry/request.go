package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// maxAnswer is more than any answer that is read: the spec requires registries to
// accept manifests of 4 MB.
const maxAnswer = 8 << 20

// request is one to the registry.
type request struct {
	method, url   string
	header        http.Header
	data          []byte        // the body, or
	body          io.Reader     // the body, sent once
	size          int64         // of body; negative if unknown
	ask           bool          // wait for the registry to accept the headers before sending the body
	answerTimeout time.Duration // for the answer, after sending everything; Stall if zero
}

// answer is the registry's answer of any status.
type answer struct {
	code   int
	header http.Header
	data   []byte
	from   *url.URL // the address that answered, after redirects
}

// once sends a request. An error comes from the network, the login or the body; an
// answer of any status is not an error. The body is no longer read when once returns.
func (r *Repository) once(ctx context.Context, q request) (*answer, error) {
	req, err := q.build(fetch.WithAnswerTimeout(ctx, q.answerTimeout))
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Ask(req)
	if err != nil {
		return nil, lost(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, lost(ctx, err)
	}
	return &answer{code: resp.StatusCode, header: resp.Header, data: data, from: resp.Request.URL}, nil
}

func (q request) build(ctx context.Context) (*http.Request, error) {
	var body io.Reader = http.NoBody
	switch {
	case q.body != nil && q.size != 0:
		body = io.NopCloser(q.body)
	case len(q.data) > 0:
		body = bytes.NewReader(q.data)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, body)
	if err != nil {
		return nil, errors.New("the registry returned an invalid location")
	}
	maps.Copy(req.Header, q.header)
	if q.body != nil {
		req.ContentLength = q.size
	}
	if req.ContentLength != 0 && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if q.ask {
		req.Header.Set("Expect", "100-continue")
	}
	return req, nil
}

// try repeats an idempotent request until the registry answers with one of the codes
// or refuses, or no attempt is left.
func (r *Repository) try(ctx context.Context, q request, codes ...int) (a *answer, err error) {
	err = r.Retry().Try(ctx, func() (err error) {
		if a, err = r.once(ctx, q); err == nil && !slices.Contains(codes, a.code) {
			err = a.refusal(q)
		}
		return err
	})
	return a, r.explain(err)
}

// refusal returns an answer as an error, of the kind [failure.Transient] if a later
// answer may differ.
func (a *answer) refusal(q request) error {
	err := &StatusError{Method: q.method, URL: withoutUpload(q.url), Code: a.code, Message: a.message(), After: fetch.RetryAfter(a.header)}
	if fetch.IsPassing(a.code) {
		return failure.New(failure.Transient, err)
	}
	return err
}

// message reads the errors of an answer, as of
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes.
func (a *answer) message() string {
	var body struct {
		Errors []struct {
			Code, Message string
			Detail        json.RawMessage
		}
	}
	if json.Unmarshal(a.data, &body) != nil {
		return ""
	}
	var all []string
	for _, e := range body.Errors {
		text := strings.TrimSpace(fmt.Sprintf("%s %.200s", e.Code, e.Message))
		if detail := detailOf(e.Detail); detail != "" && !strings.Contains(text, detail) {
			text += fmt.Sprintf(" (%.300s)", detail)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// detailOf returns the detail of a registry's error, whose form is up to the registry:
// a text, or an object that names the reason.
func detailOf(data json.RawMessage) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return (&engineError{errors.New(text)}).Error()
	}
	var b bytes.Buffer
	if len(data) <= len("{}") || json.Compact(&b, data) != nil {
		return ""
	}
	return (&engineError{errors.New(b.String())}).Error()
}
