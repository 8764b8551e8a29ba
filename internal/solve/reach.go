package solve

import (
	"errors"
	"regexp"
	"strings"

	"lamina.build/internal/failure"
)

// unreachable finds that a host did not answer. The engine tells of registries, caches
// and repositories in text alone.
var unreachable = regexp.MustCompile(
	`connection refused|connection reset by peer|no such host|i/o timeout|TLS handshake timeout|[Nn]etwork is unreachable|[Cc]ould not resolve host|server misbehaving|50[234] (Bad Gateway|Service Unavailable|Gateway Time)`,
)

// passing marks what failed because the engine could not reach somebody. What an exec
// prints is no such thing, since it has no network; why a file did not come, whoever
// asked for it finds out better.
func passing(err error) error {
	step, ok := errors.AsType[*Error](err)
	if err == nil || ok && (step.URL != "" || strings.HasPrefix(step.Err.Error(), "exit code")) || !unreachable.MatchString(err.Error()) {
		return err
	}
	return failure.WithHint(failure.New(failure.Transient, err), "check the network, and the name of the host, and try again")
}
