package registry

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"lamina.build/internal/failure"
)

// explain gives an error its exit code and says what helps.
func (r *Repository) explain(err error) error {
	host := r.name.RegistryStr()
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var plain *plainError
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case code == http.StatusUnauthorized:
		return failure.New(failure.Usage, failure.WithHint(err, "log in with docker login "+host))
	case code == http.StatusForbidden:
		return failure.New(failure.Usage, failure.WithHint(err, "log in with docker login "+host+" as someone who may push to "+r.name.RepositoryStr()))
	case code == http.StatusNotFound && !errors.Is(err, ErrForgotten) && !errors.Is(err, ErrNoChunks):
		return failure.WithHint(err, "check the name; some registries have repositories only once they are created there")
	case errors.As(err, &certificate):
		return failure.New(failure.Usage, failure.WithHint(err, "trust the certificate's issuer (SSL_CERT_FILE), or say --insecure-registry"))
	case errors.As(err, &plain):
		return failure.New(failure.Usage, failure.WithHint(err, "if the registry speaks plain HTTP, say --insecure-registry"))
	case errors.As(err, &dns) && dns.IsNotFound:
		return failure.New(failure.Transient, failure.WithHint(err, "check the name of the registry and the network"))
	case isTransient(err):
		return failure.New(failure.Transient, failure.WithHint(err, "check the network and HTTPS_PROXY, then run it again: what the registry has is not sent twice"))
	}
	return err
}
