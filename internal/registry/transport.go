package registry

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// NewTransport returns a transport for uploads of gigabytes. It honours the
// proxy variables of the environment.
func NewTransport(insecure bool) *http.Transport {
	// One connection an upload: HTTP/2 would send them all through one, and wait
	// for its windows.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		Protocols:           protocols,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 15 * time.Second,
		// How long a refusal may take that spares us the body. A registry that
		// doesn't know the question costs this once an upload.
		ExpectContinueTimeout: 2 * time.Second,
		WriteBufferSize:       256 << 10,
		DisableCompression:    true, // a manifest's bytes are its digest
	}
	if insecure {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the user said so
	}
	return t
}

// signedTransport refuses plain HTTP, whoever asks for it: a registry in a
// private network, a token service, a redirect, an upload's location. And it
// gives each attempt of a request a body of its own.
type signedTransport struct {
	inner    http.RoundTripper
	insecure bool
}

// RoundTrip sends a request that may be sent.
func (t *signedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !t.insecure && !isLoopback(req.URL.Hostname()) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, &plainError{Host: req.URL.Host}
	}
	p, ok := req.Body.(*payload)
	if !ok {
		return t.inner.RoundTrip(req)
	}
	body, err := p.next()
	if err != nil {
		return nil, err
	}
	req = req.WithContext(req.Context())
	req.Body = body
	if req.GetBody != nil {
		req.GetBody = p.next
	}
	return t.inner.RoundTrip(req)
}

type plainError struct{ Host string }

func (e *plainError) Error() string { return fmt.Sprintf("%s would be asked over plain HTTP", e.Host) }

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// locate reads the Location header of an answer that came from one address,
// and keeps it from leading where a registry has no business: into the private
// network of a publisher. Credentials go to the registry's own host only, which
// go-containerregistry sees to; the weights would go wherever this says.
func (r *Repository) locate(location string, from *url.URL) (*url.URL, error) {
	u, err := from.Parse(location)
	switch {
	case location == "":
		return nil, fmt.Errorf("registry %q says no location of the upload", r.name.RegistryStr())
	case err != nil:
		return nil, fmt.Errorf("registry %q says a location that nobody can read", r.name.RegistryStr())
	case r.isHome(u):
		// Registries behind a proxy often take themselves for plain HTTP.
		u.Scheme = from.Scheme
		return u, nil
	case u.Scheme != "https" && u.Scheme != from.Scheme, isPrivate(u.Hostname()):
		return nil, fmt.Errorf("registry %q sends the upload to %q, where it has no business", r.name.RegistryStr(), u.Host)
	}
	return u, nil
}

// isHome tells whether an address is on the registry itself.
func (r *Repository) isHome(u *url.URL) bool { return u.Host == r.name.RegistryStr() }

func isPrivate(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}
