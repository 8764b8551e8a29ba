package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"lamina.build/internal/fault"
)

// Explain gives an error of this package its kind, and says what the user can
// do about it. Other errors stay as they are.
func Explain(err error) error {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.explain(err)
	}
	_, unreachable := errors.AsType[*UnreachableError](err)
	switch {
	case err == nil:
		return nil
	case IsUntrusted(err):
		err = fmt.Errorf("its certificate is not trusted here: %w", err)
		return fault.WithHint(err, "a proxy that reads TLS, or a server of your own, needs its authority in the system's store of certificates, or in a file that SSL_CERT_FILE names")
	case isOfProxy(err):
		if unreachable {
			err = fault.New(fault.Transient, err)
		}
		return fault.WithHint(err, "check HTTPS_PROXY and NO_PROXY, and the login in it")
	case unreachable:
		return fault.WithHint(fault.New(fault.Transient, err), "check the network, the name of the host, and HTTPS_PROXY")
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
		err = fmt.Errorf("%w: it asks for a login, or refuses the one it got", err)
		return fault.WithHint(fault.New(fault.Usage, err), fmt.Sprintf("put a login for %s into ~/.netrc", withoutPort(e.Host)))
	case e.Code == http.StatusProxyAuthRequired:
		return fault.WithHint(err, "check HTTPS_PROXY and NO_PROXY, and the login in it")
	case e.Code == http.StatusNotFound || e.Code == http.StatusGone:
		return fault.WithHint(fault.New(fault.Usage, err), "check the address: its server has nothing there")
	case e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout || e.Code >= http.StatusInternalServerError:
		return fault.WithHint(fault.New(fault.Transient, err), "try again later")
	}
	return err
}
