package door

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"time"
)

type tunnelKey struct{}

// tunnel is a client's connection to a host through the proxy.
type tunnel struct {
	net.Conn
	early *bufio.Reader // bytes that arrived with the CONNECT request
	host  string        // with its port
	left  func() bool   // stops the door from closing it
}

func (t *tunnel) Read(p []byte) (int, error) {
	if t.early.Buffered() > 0 {
		return t.early.Read(p)
	}
	return t.Conn.Read(p)
}

func (t *tunnel) Close() error {
	t.left()
	return t.Conn.Close()
}

// tunnels is a listener for the TLS in tunnels.
type tunnels struct {
	ctx    context.Context //nolint:containedctx // of the door, whose end closes all tunnels
	config *tls.Config
	ready  chan net.Conn
}

// add passes a connection to the server. It is closed with the door, even if the server
// never accepts it.
func (l *tunnels) add(c net.Conn, early *bufio.Reader, host string) {
	t := &tunnel{Conn: c, early: early, host: host}
	t.left = context.AfterFunc(l.ctx, func() { _ = c.Close() }) // it may be closed already
	select {
	case l.ready <- tls.Server(t, l.config):
	case <-l.ctx.Done():
	}
}

// Accept returns the next connection.
func (l *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]: connections stay open.
func (*tunnels) Close() error { return nil }

// Addr names the listener.
func (*tunnels) Addr() net.Addr { return &net.UnixAddr{Name: "tunnels", Net: "unix"} }

// mostLeaves limits the certificates that an authority keeps.
const mostLeaves = 256

// authority issues certificates for all hosts, trusted in one exec and nowhere else. Its
// keys never leave the memory of this process.
type authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	leafKey *ecdsa.PrivateKey
	from    time.Time

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, leafKey: leafKey, from: now, leaves: map[string]*tls.Certificate{}}
	template, err := a.template("Lamina, for one exec")
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// template returns the common part of all certificates. The clock of another machine may be
// a day slow or fast.
func (a *authority) template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    a.from.Add(-24 * time.Hour),
		NotAfter:     a.from.Add(14 * 24 * time.Hour),
	}, nil
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// leaf returns the certificate of a host, given without its port.
func (a *authority) leaf(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.leaves[host]; ok {
		return c, nil
	}
	name := host
	if len(name) > 64 { // the limit of a common name
		name = name[:64]
	}
	template, err := a.template(name)
	if err != nil {
		return nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip, ipErr := netip.ParseAddr(host); ipErr == nil {
		template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.leafKey.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %q: %w", host, err)
	}
	if len(a.leaves) >= mostLeaves {
		clear(a.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.leafKey}
	a.leaves[host] = c
	return c, nil
}
