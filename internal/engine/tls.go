package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/failure"
)

// TLS authenticates an engine at tcp://…, and us to it, as buildctl does.
type TLS struct {
	CACert     string // file of the authorities to trust; "" means those of this machine
	Cert, Key  string // files of our client certificate, for an engine that requires one
	ServerName string // expected in the engine's certificate; "" means the host of its address
}

// tlsOf reads TLS from the environment, with variables named after buildctl's flags.
func tlsOf(env func(string) string) TLS {
	t := TLS{
		CACert: env("BUILDKIT_TLS_CACERT"), Cert: env("BUILDKIT_TLS_CERT"), Key: env("BUILDKIT_TLS_KEY"),
		ServerName: env("BUILDKIT_TLS_SERVERNAME"),
	}
	if dir := env("BUILDKIT_TLS_DIR"); dir != "" && t.CACert+t.Cert+t.Key == "" {
		t.CACert, t.Cert, t.Key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		if _, err := os.Stat(t.CACert); errors.Is(err, os.ErrNotExist) { // as Kubernetes names them
			t.CACert, t.Cert, t.Key = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
		}
	}
	return t
}

// Check reports everything that is wrong with the files.
func (t TLS) Check() error {
	_, err := t.config()
	return failure.WithHint(failure.New(failure.Usage, err),
		"give PEM files: the engine's authority as --tlscacert, a client certificate and its key as --tlscert and --tlskey; BUILDKIT_TLS_CACERT, …_CERT, …_KEY are the same")
}

// config returns t for crypto/tls.
func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, NextProtos: []string{"h2"}}
	var problems []error
	if t.CACert != "" {
		config.RootCAs = x509.NewCertPool()
		text, err := os.ReadFile(t.CACert)
		if err == nil && !config.RootCAs.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%q contains no certificate", t.CACert)
		}
		problems = append(problems, err)
	}
	switch {
	case t.Cert == "" && t.Key == "":
	case t.Cert == "":
		problems = append(problems, errors.New("a key without a certificate: --tlscert is missing"))
	case t.Key == "":
		problems = append(problems, errors.New("a certificate without a key: --tlskey is missing"))
	default:
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			err = fmt.Errorf("reading certificate %q and key %q: %w", t.Cert, t.Key, err)
		} else if now := time.Now(); now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
			err = fmt.Errorf("the certificate %q is valid from %s to %s", t.Cert, pair.Leaf.NotBefore.Format(time.DateOnly), pair.Leaf.NotAfter.Format(time.DateOnly))
		}
		config.Certificates = append(config.Certificates, pair)
		problems = append(problems, err)
	}
	return config, errors.Join(problems...)
}

// options returns t for BuildKit's client.
func (t TLS) options(host string) []client.ClientOpt {
	if t == (TLS{}) {
		return nil
	}
	if t.ServerName == "" {
		t.ServerName = host
	}
	opts := []client.ClientOpt{client.WithServerConfigSystem(t.ServerName)}
	if t.CACert != "" { // alone: else anybody whom the machine trusts could be the engine
		opts = []client.ClientOpt{client.WithServerConfig(t.ServerName, t.CACert)}
	}
	if t.Cert != "" {
		opts = append(opts, client.WithCredentials(t.Cert, t.Key))
	}
	return opts
}

// handshakeWithin is how long diagnose waits for a server.
const handshakeWithin = 5 * time.Second

// diagnose repeats the handshake with a server that could not be used, and explains what is
// wrong with its TLS; nil means nothing. gRPC hides the types of its errors.
func (a address) diagnose(ctx context.Context) error {
	u, err := url.Parse(a.url)
	if err != nil || u.Scheme != "tcp" {
		return nil
	}
	config, err := a.tls.config()
	if err != nil {
		return nil // Check has reported it
	}
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	config.InsecureSkipVerify = a.tls == TLS{} // only finds out whether it speaks TLS
	ctx, cancel := context.WithTimeout(ctx, handshakeWithin)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil // gRPC's error says as much
	}
	defer raw.Close()
	conn := tls.Client(raw, config)
	if err = conn.HandshakeContext(ctx); err == nil {
		// In TLS 1.3 a server refuses us only after the handshake.
		_ = conn.SetReadDeadline(time.Now().Add(handshakeWithin))
		_, err = conn.Read(make([]byte, 1))
	}
	return failure.New(failure.Usage, a.tls.explain(err, config.ServerName))
}

// explain explains the error of a handshake.
func (t TLS) explain(err error, host string) error {
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	named, isNamed := errors.AsType[x509.HostnameError](err)
	_, isUnsigned := errors.AsType[x509.UnknownAuthorityError](err)
	remote, isRemote := errors.AsType[*net.OpError](err)
	refused := isRemote && remote.Op == "remote error"
	switch {
	case t == TLS{}:
		if plain || err != nil && !refused {
			return nil
		}
		return failure.WithHint(errors.New("it requires TLS, and the connection was made without"),
			"set --tlscacert, and --tlscert and --tlskey if it requires client certificates; or BUILDKIT_TLS_CACERT, BUILDKIT_TLS_CERT, BUILDKIT_TLS_KEY")
	case plain:
		return failure.WithHint(errors.New("it does not use TLS"), "omit --tls… and BUILDKIT_TLS_…, or start that buildkitd with --tlscert, --tlskey and --tlscacert")
	case isInvalid && invalid.Reason == x509.Expired:
		return failure.WithHint(fmt.Errorf("its certificate is valid from %s to %s", invalid.Cert.NotBefore.Format(time.DateOnly), invalid.Cert.NotAfter.Format(time.DateOnly)),
			"renew that certificate, or correct the clock of this machine")
	case isNamed:
		return failure.WithHint(fmt.Errorf("its certificate is for %s, not for %s", strings.Join(namesOf(named.Certificate), ", "), host),
			"set --tlsservername to a name that the certificate is for")
	case isUnsigned:
		return failure.WithHint(errors.New("its certificate is signed by an authority that is not trusted here"), "set --tlscacert to the authority that signed it")
	case refused && t.Cert == "":
		return failure.WithHint(errors.New("it requires a client certificate"), "set --tlscert and --tlskey, or BUILDKIT_TLS_CERT and BUILDKIT_TLS_KEY")
	case refused:
		return failure.WithHint(fmt.Errorf("it does not accept the certificate %q: %w", t.Cert, remote.Err), "use one signed by the authority that the engine's --tlscacert names")
	case isInvalid:
		return invalid
	}
	return nil
}

// namesOf returns the hosts that a certificate is for.
func namesOf(c *x509.Certificate) []string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return []string{"no host"}
	}
	return names
}
