package registry

import (
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
)

// maxAnswer is more than any answer that is read: registries have to take
// manifests of 4 MB, says the spec.
const maxAnswer = 8 << 20

// request is one to the registry.
type request struct {
	method, url string
	header      http.Header
	data        []byte        // the body, or
	body        io.Reader     // the body, sent once
	size        int64         // of body; negative if unknown
	ask         bool          // whether the registry wants the body, before it is sent
	patience    time.Duration // for the answer, once all is sent; Stall where zero
}

// answer is what the registry says, whatever it is.
type answer struct {
	code   int
	header http.Header
	data   []byte
	from   *url.URL // who answered, after redirects
}

// once sends a request. An error is one of the network, of the login, or of the
// body, and an answer of any status is none. Nobody reads the body afterwards.
func (r *Repository) once(ctx context.Context, q request) (*answer, error) {
	ctx, w := watch(ctx, r.opts.Stall, max(q.patience, r.opts.Stall))
	defer w.stop()
	p := &payload{w: w, data: q.data, body: q.body}
	defer p.end()
	req, err := q.build(ctx, p)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, lost(w.cause(withoutURL(err)))
	}
	defer resp.Body.Close()
	w.reset()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, lost(w.cause(err))
	}
	return &answer{code: resp.StatusCode, header: resp.Header, data: data, from: resp.Request.URL}, nil
}

func (q request) build(ctx context.Context, p *payload) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, http.NoBody)
	if err != nil {
		return nil, errors.New("a location of the registry is no address")
	}
	maps.Copy(req.Header, q.header)
	switch {
	case q.body != nil && q.size != 0:
		req.Body, req.ContentLength = p, q.size
	case len(q.data) > 0:
		req.Body, req.ContentLength = p, int64(len(q.data))
		req.GetBody = func() (io.ReadCloser, error) { return p, nil }
	}
	if req.ContentLength != 0 && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if q.ask {
		req.Header.Set("Expect", "100-continue")
	}
	return req, nil
}

// try sends a request that may be repeated until the registry answers with one
// of the codes, refuses, or was asked often enough.
func (r *Repository) try(ctx context.Context, q request, codes ...int) (*answer, error) {
	for p := r.pause(); ; {
		a, err := r.once(ctx, q)
		if err == nil && slices.Contains(codes, a.code) {
			return a, nil
		}
		if err == nil {
			err = a.refusal(q)
		}
		if !mayRetry(err) {
			return nil, r.explain(err)
		}
		if err = p.wait(ctx, a, err); err != nil {
			return nil, r.explain(err)
		}
	}
}

// refusal is an answer as an error.
func (a *answer) refusal(q request) *StatusError {
	return &StatusError{Method: q.method, URL: redact(q.url), Code: a.code, Message: a.message()}
}

// message reads the errors of an answer, as of
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes.
func (a *answer) message() string {
	var body struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.data, &body) != nil {
		return ""
	}
	var all []string
	for _, e := range body.Errors {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %.200s", e.Code, e.Message)))
	}
	return strings.Join(all, "; ")
}

// redact leaves out what locations carry: signatures and states of uploads.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an unreadable URL"
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}

// withoutURL takes off what net/http writes before each error: the whole URL.
func withoutURL(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}
