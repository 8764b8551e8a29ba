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

// TLS is how an engine at tcp://… is known, and how it knows us: as buildctl has it.
type TLS struct {
	CACert     string // file of the authorities that may vouch for the engine; "" is those of this machine
	Cert, Key  string // files that we are known by to an engine that asks
	ServerName string // that the engine's certificate is for; "" is the host of its address
}

// tlsOf is what variables say, in the words of buildctl's flags.
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

// Check finds what is wrong with the files, all of it at once.
func (t TLS) Check() error {
	_, err := t.config()
	return failure.WithHint(failure.New(failure.Usage, err),
		"the files of an engine's TLS are PEM: --tlscacert its authority, --tlscert and --tlskey what we are known by; BUILDKIT_TLS_CACERT, …_CERT, …_KEY are the same")
}

// config is what crypto/tls makes of it.
func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, NextProtos: []string{"h2"}}
	var problems []error
	if t.CACert != "" {
		config.RootCAs = x509.NewCertPool()
		text, err := os.ReadFile(t.CACert)
		if err == nil && !config.RootCAs.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%q holds no certificate", t.CACert)
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
			err = fmt.Errorf("the certificate %q holds from %s to %s", t.Cert, pair.Leaf.NotBefore.Format(time.DateOnly), pair.Leaf.NotAfter.Format(time.DateOnly))
		}
		config.Certificates = append(config.Certificates, pair)
		problems = append(problems, err)
	}
	return config, errors.Join(problems...)
}

// options are those of BuildKit's client.
func (t TLS) options(host string) []client.ClientOpt {
	if t == (TLS{}) {
		return nil
	}
	if t.ServerName == "" {
		t.ServerName = host
	}
	opts := []client.ClientOpt{client.WithServerConfigSystem(t.ServerName)}
	if t.CACert != "" { // alone: else everybody whom the machine trusts could be the engine
		opts = []client.ClientOpt{client.WithServerConfig(t.ServerName, t.CACert)}
	}
	if t.Cert != "" {
		opts = append(opts, client.WithCredentials(t.Cert, t.Key))
	}
	return opts
}

// handshakeWithin is how long a server may take that is asked once more what it dislikes.
const handshakeWithin = 5 * time.Second

// diagnose shakes hands with a server that is no engine to us, and words what TLS is to
// blame for; nil is that it isn't. gRPC keeps the types of its errors to itself.
func (a address) diagnose(ctx context.Context) error {
	u, err := url.Parse(a.url)
	if err != nil || u.Scheme != "tcp" {
		return nil
	}
	config, err := a.tls.config()
	if err != nil {
		return nil // Check has told
	}
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	config.InsecureSkipVerify = a.tls == TLS{} // to find out whether it speaks TLS at all
	ctx, cancel := context.WithTimeout(ctx, handshakeWithin)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil // as gRPC says
	}
	defer raw.Close()
	conn := tls.Client(raw, config)
	if err = conn.HandshakeContext(ctx); err == nil {
		// TLS 1.3 has a server refuse us only after that.
		_ = conn.SetReadDeadline(time.Now().Add(handshakeWithin))
		_, err = conn.Read(make([]byte, 1))
	}
	return failure.New(failure.Usage, a.tls.explain(err, config.ServerName))
}

// explain words what came of a handshake.
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
		return failure.WithHint(errors.New("it speaks TLS, and was spoken to without"),
			"say --tlscacert, with --tlscert and --tlskey where it wants to know its clients; or BUILDKIT_TLS_CACERT, BUILDKIT_TLS_CERT, BUILDKIT_TLS_KEY")
	case plain:
		return failure.WithHint(errors.New("it speaks no TLS"), "leave --tls… and BUILDKIT_TLS_… away, or give that buildkitd --tlscert, --tlskey and --tlscacert")
	case isInvalid && invalid.Reason == x509.Expired:
		return failure.WithHint(fmt.Errorf("its certificate holds from %s to %s", invalid.Cert.NotBefore.Format(time.DateOnly), invalid.Cert.NotAfter.Format(time.DateOnly)),
			"renew that certificate, or set the clock of this machine")
	case isNamed:
		return failure.WithHint(fmt.Errorf("its certificate is for %s, not for %s", strings.Join(namesOf(named.Certificate), ", "), host),
			"say --tlsservername with a name that the certificate is for")
	case isUnsigned:
		return failure.WithHint(errors.New("its certificate is signed by nobody who is trusted here"), "say --tlscacert with the authority that signed it")
	case refused && t.Cert == "":
		return failure.WithHint(errors.New("it wants to know its clients by certificates"), "say --tlscert and --tlskey, or BUILDKIT_TLS_CERT and BUILDKIT_TLS_KEY")
	case refused:
		return failure.WithHint(fmt.Errorf("it does not take the certificate %q: %w", t.Cert, remote.Err), "have the authority sign it that the engine's --tlscacert names")
	case isInvalid:
		return invalid
	}
	return nil
}

// namesOf are the hosts that a certificate is for.
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
