package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"lamina.build/internal/failure"
)

// Explain gives an error of this package its kind, and says what the user can
// do about it. Other errors stay as they are.
func Explain(err error) error {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.explain(err)
	}
	_, unreachable := errors.AsType[*UnreachableError](err)
	_, guarded := errors.AsType[*GuardError](err)
	switch {
	case err == nil:
		return nil
	case guarded:
		return failure.New(failure.Usage, err)
	case IsUntrusted(err):
		err = fmt.Errorf("its certificate is not trusted here: %w", err)
		return failure.WithHint(err, "a proxy that reads TLS, or a server of your own, needs its authority in the system's store of certificates, or in a file that SSL_CERT_FILE names")
	case isOfProxy(err):
		if unreachable {
			err = failure.New(failure.Transient, err)
		}
		return failure.WithHint(err, "check HTTPS_PROXY and NO_PROXY, and the login in it")
	case unreachable:
		return failure.WithHint(failure.New(failure.Transient, err), "check the network, the name of the host, and HTTPS_PROXY")
	}
	return err
}

// withoutPort is a host as a .netrc names it.
func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func (e *StatusError) explain(err error) error {
	switch {
	case e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden:
		return e.ofLogin(err)
	case e.Code == http.StatusProxyAuthRequired:
		return failure.WithHint(err, "check HTTPS_PROXY and NO_PROXY, and the login in it")
	case e.Code == http.StatusNotFound || e.Code == http.StatusGone:
		return failure.WithHint(failure.New(failure.Usage, err), "check the address: its server has nothing there")
	case e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout || e.Code >= http.StatusInternalServerError:
		return failure.WithHint(failure.New(failure.Transient, err), "try again later")
	}
	return err
}

// ofLogin tells a login that is missing from one that is wrong, and from one that
// Lamina keeps to itself.
func (e *StatusError) ofLogin(err error) error {
	host := withoutPort(e.Host)
	why, hint := "it asks for a login, and none was sent", "put a login for "+host+" into ~/.netrc"
	switch {
	case e.LoggedIn:
		why, hint = "it refuses the login that it got", "check the login for "+host+" in ~/.netrc, or in the address of its index, and what it may read"
	case e.Withheld:
		why = "it asks for a login, and Lamina sends none to this address"
		hint = "a login for " + host + " goes to what a requirement or a constraint names: NAME @ git+https://… for a submodule"
	}
	return failure.WithHint(failure.New(failure.Usage, fmt.Errorf("%w: %s", err, why)), hint)
}
