package lamina

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

// pythonSecrets provides the logins for a build's files to an engine, except logins that
// a redirect would carry to another host.
type pythonSecrets struct {
	uv.Logins

	addresses []string
	note      func(format string, args ...any)

	mu     sync.Mutex
	strays map[string]error // by host, or by path of one
}

func (j job) secrets() session.Attachable {
	addresses := j.addresses()
	return secretsprovider.NewSecretProvider(&pythonSecrets{
		Logins: j.python.Logins.Only(addresses), addresses: addresses, note: j.note, strays: map[string]error{},
	})
}

// GetSecret implements BuildKit's secret store.
func (s *pythonSecrets) GetSecret(ctx context.Context, id string) ([]byte, error) {
	login, err := s.Logins.GetSecret(ctx, id)
	if place, ok := strings.CutPrefix(id, "HTTP_AUTH_HEADER_"); ok && err == nil {
		err = s.check(ctx, id, place)
	}
	if err != nil {
		return nil, err
	}
	return login, nil
}

// check tests the first file that gets the login of a host, or of a path of it: an index
// redirects all its files in the same way, and a host with the login can already misuse it.
func (s *pythonSecrets) check(ctx context.Context, id, place string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err, known := s.strays[place]; known {
		return err
	}
	i := slices.IndexFunc(s.addresses, func(address string) bool {
		own := s.Secret(address)
		return own == id || own == "" && hostOf(address) == place
	})
	if i < 0 {
		return nil
	}
	err := fetch.New(fetch.Options{Logins: s.Logins.For, Attempts: 1}).Strays(ctx, s.addresses[i])
	if s.strays[place] = err; err != nil {
		s.note("not sending the login for %s to the engine: %v", place, err)
	}
	return err
}

// hubSecrets provides the token for the host of the hub only.
func (h *host) hubSecrets(m lock.Model) session.Attachable {
	secrets := map[string][]byte{}
	if token := h.hubToken(); token != "" {
		if _, _, isHub := m.Repository(); isHub {
			// BuildKit requests this name for the host that it fetches from (source/http).
			secrets["HTTP_AUTH_TOKEN_"+hostOf(m.Files[0].URL)] = []byte(token)
		}
	}
	return secretsprovider.FromMap(secrets)
}

// strays reports, before an engine fetches a model, that the token would leave the hub.
func (h *host) strays(ctx context.Context, c *hub.Client, m lock.Model) error {
	if _, _, isHub := m.Repository(); !isHub || h.hubToken() == "" {
		return nil
	}
	largest := slices.MaxFunc(m.Files, func(a, b lock.ModelFile) int { return int(min(max(a.Size-b.Size, -1), 1)) })
	err := c.Strays(ctx, largest.URL)
	return failure.WithHint(failure.New(failure.Usage, err), "run \"build model pull\" to fetch it without an engine")
}
