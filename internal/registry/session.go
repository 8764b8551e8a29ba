package registry

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	"google.golang.org/grpc"
)

// Session answers an engine's requests for logins while it pushes and pulls. It fetches
// tokens here, as [Open] does, so that passwords reach neither an engine that needs none
// nor another host by a redirect: BuildKit's own provider would follow one with them, and
// would trust any certificate once one registry is exempt from verification.
//
// references are the images that the engine is about to push and pull. Podman's logins may
// be for parts of a registry, and an engine sometimes names only the host.
func Session(o Options, references []string) session.Attachable {
	s := &engineLogins{opts: o}
	for _, reference := range references {
		if repo, err := parse(reference, o.Insecure); err == nil { // else nothing can be read from there
			s.repositories = append(s.repositories, repo)
		}
	}
	inner := authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{AuthConfigProvider: s.config})
	s.AuthServer = inner.(auth.AuthServer) //nolint:forcetypeassert // it registers itself as one
	return s
}

type engineLogins struct {
	auth.AuthServer

	opts         Options
	repositories []name.Repository
}

// Register implements [session.Attachable].
func (s *engineLogins) Register(server *grpc.Server) { auth.RegisterAuthServer(server, s) }

// config returns the login for a host, or for the repositories that scopes name there.
func (s *engineLogins) config(ctx context.Context, host string, scopes []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
	login, err := s.login(ctx, host, scopes)
	if err != nil {
		return types.AuthConfig{}, err
	}
	c, err := authn.Authorization(ctx, login)
	if err != nil {
		return types.AuthConfig{}, err
	}
	return types.AuthConfig{Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken}, nil
}

func (s *engineLogins) login(ctx context.Context, host string, scopes []string) (authn.Authenticator, error) {
	registry, err := name.NewRegistry(host)
	if err != nil {
		return nil, err
	}
	var targets []authn.Resource
	// The repository pushed to needs its login more than one mounted from.
	for _, scope := range slices.SortedStableFunc(slices.Values(scopes), func(a, b string) int {
		return cmp.Compare(strings.Count(b, "push"), strings.Count(a, "push"))
	}) {
		if words := strings.Split(scope, ":"); len(words) == 3 && words[0] == "repository" {
			targets = append(targets, registry.Repo(words[1]))
		}
	}
	if len(targets) == 0 {
		targets = append(targets, registry)
		for _, repo := range s.repositories {
			if repo.RegistryStr() == host || isHub(host) && isHub(repo.RegistryStr()) {
				targets = append(targets, repo)
			}
		}
	}
	for _, target := range targets {
		login, err := authn.Resolve(ctx, s.opts.keychain(), target)
		if err != nil || login != authn.Anonymous {
			return login, err
		}
	}
	return authn.Anonymous, nil
}

// FetchToken implements [auth.AuthServer].
func (s *engineLogins) FetchToken(ctx context.Context, q *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	login, err := s.login(ctx, q.Host, q.Scopes)
	if err != nil {
		return nil, err
	}
	c, err := authn.Authorization(ctx, login)
	if err != nil {
		return nil, err
	}
	if c.RegistryToken != "" {
		return &auth.FetchTokenResponse{Token: c.RegistryToken, ExpiresIn: expires}, nil
	}
	registry, err := name.NewRegistry(q.Host)
	if err != nil {
		return nil, err
	}
	host, err := s.opts.Hosts.Of(registry.RegistryStr())
	if err != nil {
		return nil, err
	}
	r, err := s.opts.reach(registry.Repo("any"), host)
	if err != nil {
		return nil, err
	}
	challenge := &transport.Challenge{
		Scheme: "bearer", Parameters: map[string]string{"realm": q.Realm, "service": q.Service}, Insecure: r.mayBePlain(q.Host),
	}
	var token *transport.Token
	err = r.Retry().Try(ctx, func() error {
		token, err = transport.Exchange(ctx, registry, login, r.inner(), q.Scopes, challenge)
		return lost(ctx, err)
	})
	if err != nil {
		return nil, r.explain(err)
	}
	return &auth.FetchTokenResponse{
		Token: cmp.Or(token.Token, token.AccessToken), ExpiresIn: int64(cmp.Or(token.ExpiresIn, expires)),
	}, nil
}

// expires is the lifetime in seconds of a token that doesn't state it.
const expires = 60
