package testworld

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ServeTLS serves at an address of this machine, with a certificate signed by a new authority,
// which is returned as PEM.
func ServeTLS(t testing.TB, address string, h http.Handler) (url string, authority []byte) {
	t.Helper()
	return serveTLS(t, address, h, &tls.Config{})
}

// ServeMutualTLS is [ServeTLS] for only a client that has the returned certificate and key,
// both PEM.
func ServeMutualTLS(t testing.TB, address string, h http.Handler) (url string, authority, certificate, key []byte) {
	t.Helper()
	certificate, pair, err := certified(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(certificate)
	url, authority = serveTLS(t, address, h, &tls.Config{ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert})
	return url, authority, certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func serveTLS(t testing.TB, address string, h http.Handler, c *tls.Config) (url string, authority []byte) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	authority, certificate, err := certified(listener.Addr().(*net.TCPAddr).IP)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}} //nolint:gosec // its clients are tests
	c.Certificates = []tls.Certificate{certificate}
	server.TLS = c
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, authority
}

// certified returns an authority, as PEM, and its certificate for an address, or for a client.
func certified(ip net.IP) ([]byte, tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip != nil {
		template.IPAddresses = []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// TrustAlso writes the machine's trusted certificates and an authority to a file, for
// SSL_CERT_FILE.
func TrustAlso(t testing.TB, authority []byte) string {
	t.Helper()
	system, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "store.pem")
	if err := os.WriteFile(name, append(system, authority...), 0o600); err != nil { //nolint:gosec // a directory of the test
		t.Fatal(err)
	}
	return name
}
