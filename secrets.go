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

// pythonSecrets are the logins of a build's files, as an engine asks for them. One that
// would be taken along to somebody else reaches no engine.
type pythonSecrets struct {
	uv.Logins

	addresses []string
	note      func(format string, args ...any)

	mu     sync.Mutex
	strays map[string]error // by host
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
	if host, ok := strings.CutPrefix(id, "HTTP_AUTH_HEADER_"); ok && err == nil {
		err = s.check(ctx, host)
	}
	if err != nil {
		return nil, err
	}
	return login, nil
}

// check looks at the first file of a host. An index leads to all its files in one way, and
// a login is for whoever may lead astray already.
func (s *pythonSecrets) check(ctx context.Context, host string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err, known := s.strays[host]; known {
		return err
	}
	i := slices.IndexFunc(s.addresses, func(address string) bool { return hostOf(address) == host })
	if i < 0 {
		return nil
	}
	err := fetch.New(fetch.Options{Logins: s.Logins.For, Attempts: 1}).Strays(ctx, s.addresses[i])
	if s.strays[host] = err; err != nil {
		s.note("the login for %s stays here: %v", host, err)
	}
	return err
}

// hubSecrets has the token for the host of the hub, and for no other.
func (h *host) hubSecrets(m lock.Model) session.Attachable {
	secrets := map[string][]byte{}
	if token := h.hubToken(); token != "" {
		if _, _, isHub := m.Repository(); isHub {
			// An engine that fetches from a host asks for this by itself (source/http).
			secrets["HTTP_AUTH_TOKEN_"+hostOf(m.Files[0].URL)] = []byte(token)
		}
	}
	return secretsprovider.FromMap(secrets)
}

// strays finds out before a model is fetched by an engine that the token would not stay
// with the hub.
func (h *host) strays(ctx context.Context, c *hub.Client, m lock.Model) error {
	if _, _, isHub := m.Repository(); !isHub || h.hubToken() == "" {
		return nil
	}
	largest := slices.MaxFunc(m.Files, func(a, b lock.ModelFile) int { return int(min(max(a.Size-b.Size, -1), 1)) })
	err := c.Strays(ctx, largest.URL)
	return failure.WithHint(failure.New(failure.Usage, err), "\"build model pull\" fetches it without an engine")
}
