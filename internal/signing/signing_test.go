package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"lamina.build/internal/attest"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/signing"
	"lamina.build/internal/test/sigstoretest"
)

const image = digest.Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// private returns a key in a PEM block of a type.
func private(t *testing.T, key any, kind string, encrypt func([]byte) []byte) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if encrypt != nil {
		der = encrypt(der)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func public(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func sign(t *testing.T, s signing.Signer) []byte {
	t.Helper()
	data, err := s.Sign(t.Context(), attest.Signature(image))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The owner of a key signs, with the same result each time; other keys don't verify it.
func TestKey(t *testing.T) {
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	ec, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cosigns := func(der []byte) []byte {
		data, encryptErr := encrypted.Encrypt(der, []byte("a password"))
		if encryptErr != nil {
			t.Fatal(encryptErr)
		}
		return data
	}
	for name, tt := range map[string]struct {
		key  crypto.Signer
		text []byte
	}{
		"PKCS #8":           {key, private(t, key, "PRIVATE KEY", nil)},
		"SEC 1":             {key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ec})},
		"RSA":               {long, private(t, long, "PRIVATE KEY", nil)},
		"PKCS #1":           {long, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(long)})},
		"cosign's":          {key, private(t, key, "ENCRYPTED SIGSTORE PRIVATE KEY", cosigns)},
		"cosign's, earlier": {key, private(t, key, "ENCRYPTED COSIGN PRIVATE KEY", cosigns)},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := signing.Key(tt.text, []byte("a password"))
			if err != nil {
				t.Fatal(err)
			}
			data := sign(t, s)
			if again := sign(t, s); !bytes.Equal(data, again) {
				t.Error("signing again gives another bundle")
			}
			v, err := signing.ByKey(public(t, tt.key))
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Verify(data, image)
			if err != nil || got.PredicateType != attest.SignatureV1 || !got.Names(image) {
				t.Errorf("it holds %+v, %v", got, err)
			}
			if _, err = v.Verify(data, digest.FromString("another image")); err == nil {
				t.Error("it is valid for another image")
			}
			other, err := signing.ByKey(public(t, newKey(t)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = other.Verify(data, image); err == nil {
				t.Error("it is valid for another key, too")
			}
		})
	}
}

// A key that can't sign is refused before anything is signed, without revealing it.
func TestKeyRefused(t *testing.T) {
	key := newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := encrypted.Encrypt([]byte("key"), []byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string][]byte{
		"not a key in PEM":  []byte("hello"),
		"public key":        public(t, key),
		"another password":  pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: data}),
		"can't be read":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hello")}),
		"not a private key": pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("hello")}),
		"P-256":             private(t, p384, "PRIVATE KEY", nil),
	} {
		if _, err := signing.Key(text, []byte("wrong")); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := signing.ByKey(public(t, p384)); err == nil {
		t.Error("an unsupported key is accepted")
	}
}

// forged returns what somebody without the key can make of a bundle.
func forged(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	edit := func(change func(envelope map[string]any)) []byte {
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		change(all["dsseEnvelope"].(map[string]any))
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	other := attest.Signature(digest.FromString("another image"))
	encode := func(v []byte) string { text, _ := json.Marshal(v); return strings.Trim(string(text), `"`) }
	return map[string][]byte{
		"statement":    edit(func(e map[string]any) { e["payload"] = encode(other) }),
		"payload type": edit(func(e map[string]any) { e["payloadType"] = "text/plain" }),
		"signature": edit(func(e map[string]any) {
			e["signatures"] = []any{map[string]any{"sig": encode([]byte("no signature"))}}
		}),
		"none":    edit(func(e map[string]any) { e["signatures"] = []any{} }),
		"two":     bytes.Replace(data, []byte(`"dsseEnvelope":`), []byte(`"DsseEnvelope":{"payload":"`+encode(other)+`"},"dsseEnvelope":`), 1),
		"cut":     data[:len(data)/2],
		"no JSON": []byte("hello"),
		"empty":   nil,
		"another": []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`),
	}
}

func TestForged(t *testing.T) {
	key := newKey(t)
	s, err := signing.Key(private(t, key, "PRIVATE KEY", nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := signing.ByKey(public(t, key))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range forged(t, sign(t, s)) {
		got, err := v.Verify(data, image)
		if err == nil && (name != "two" || !got.Names(image)) {
			t.Errorf("%s: it is accepted as signed: %+v", name, got)
		}
		if got, err = v.Verify(data, digest.FromString("another image")); err == nil {
			t.Errorf("%s: it is accepted as signed: %+v", name, got)
		}
	}
}

const identity, issuer, token = "ci@example.org", "https://issuer.example", "an-identity-token"

func keyless(s *sigstoretest.Sigstore, env map[string]string) signing.Keyless {
	return signing.Keyless{HTTP: fetch.New(fetch.Options{Attempts: 1}), Env: func(name string) string { return env[name] }, Fulcio: s.URL, Rekor: s.URL}
}

// An identity signs with certificates from Fulcio and Rekor, and verifying contacts neither.
func TestKeyless(t *testing.T) {
	s := sigstoretest.New(t, identity, token)
	for name, env := range map[string]map[string]string{
		"token":  {signing.TokenName: token},
		"GitHub": {"ACTIONS_ID_TOKEN_REQUEST_URL": s.URL + "/token?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token},
	} {
		k := keyless(s, env)
		if err := k.Check(); err != nil {
			t.Fatal(err)
		}
		data := sign(t, k)
		if bytes.Contains(data, []byte(token)) {
			t.Errorf("%s: the token is in the bundle", name)
		}
		for _, tt := range []struct {
			what, identity, issuer string
			root                   []byte
			ok                     bool
		}{
			{"it", identity, issuer, s.TrustedRoot(false), true},
			{"another identity", "other@example.org", issuer, s.TrustedRoot(false), false},
			{"another issuer", identity, "https://other.example", s.TrustedRoot(false), false},
			{"a certificate that no log has", identity, issuer, s.TrustedRoot(true), false},
			{"another root", identity, issuer, sigstoretest.New(t, identity, token).TrustedRoot(false), false},
			{"the public root", identity, issuer, signing.PublicRoot, false},
		} {
			v, err := signing.ByIdentity(tt.identity, tt.issuer, tt.root)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := v.Verify(data, image); (err == nil) != tt.ok {
				t.Errorf("%s, %s: %+v, %v", name, tt.what, got, err)
			}
		}
		v, err := signing.ByIdentity(identity, issuer, s.TrustedRoot(false))
		if err != nil {
			t.Fatal(err)
		}
		for what, forgery := range forged(t, data) {
			if got, err := v.Verify(forgery, image); err == nil && (what != "two" || !got.Names(image)) {
				t.Errorf("%s: it is accepted as signed: %+v", what, got)
			}
		}
	}
}

// Keyless signing fails with an expired certificate, without a log, and without a token.
func TestKeylessRefused(t *testing.T) {
	s := sigstoretest.New(t, identity, token)
	s.Expired = true
	data := sign(t, keyless(s, map[string]string{signing.TokenName: token}))
	v, err := signing.ByIdentity(identity, issuer, s.TrustedRoot(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = v.Verify(data, image); err == nil {
		t.Error("an expired certificate is accepted")
	}
	s.Down.Store(true)
	if _, err = keyless(s, map[string]string{signing.TokenName: token}).Sign(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not logged") {
		t.Errorf("the log is down: got %v", err)
	}
	if _, err = keyless(s, map[string]string{signing.TokenName: "SecretToken"}).Sign(t.Context(), nil); err == nil || strings.Contains(err.Error(), "SecretToken") || !strings.Contains(err.Error(), "401") {
		t.Errorf("the token is unknown: got %v", err)
	}
	k := keyless(s, nil)
	k.Fulcio = "https://user:SecretPassword@fulcio.example"
	if err = k.Check(); err == nil || strings.Contains(err.Error(), "SecretPassword") || !strings.Contains(err.Error(), "no identity token") || len(failure.Hints(err)) == 0 {
		t.Errorf("got %v", err)
	}
	if _, err = signing.ByIdentity(identity, issuer, []byte("{}")); err == nil {
		t.Error("an empty root is accepted")
	}
}
