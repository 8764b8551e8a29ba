package signing

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"lamina.build/internal/failure"
)

// PasswordName is the variable with the password of a key, as cosign has it.
const PasswordName = "COSIGN_PASSWORD"

type keySigner struct {
	key  crypto.Signer
	hint string
}

// Key signs with a private key in PEM: one that cosign has encrypted, or a plain one.
func Key(text, password []byte) (Signer, error) {
	key, err := privateKey(text, password)
	if err == nil {
		err = checkKey(key.Public())
	}
	if err != nil {
		return nil, err
	}
	name, err := hint(key.Public())
	return keySigner{key, name}, err
}

func (s keySigner) Sign(_ context.Context, statement []byte) ([]byte, error) {
	e, err := seal(s.key, statement)
	if err != nil {
		return nil, err
	}
	return json.Marshal(bundle{MediaType: BundleType, Material: material{PublicKey: &publicKey{s.hint}}, Envelope: e})
}

func privateKey(text, password []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is no key in PEM")
	}
	der := block.Bytes
	switch block.Type {
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		var err error
		if der, err = encrypted.Decrypt(der, password); err != nil {
			return nil, failure.WithHint(errors.New("it is encrypted, with another password than that of "+PasswordName), "set "+PasswordName)
		}
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(der)
		return key, unreadable(err)
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(der)
		return key, unreadable(err)
	case "PRIVATE KEY":
	case "PUBLIC KEY":
		return nil, errors.New("it is a public key: the private one signs")
	default:
		return nil, failure.WithHint(errors.New("it is no private key of a kind that this program reads"),
			"\"cosign generate-key-pair\" or \"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256\" make one")
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if signer, ok := key.(crypto.Signer); ok && err == nil {
		return signer, nil
	}
	return nil, unreadable(errors.New("not PKCS #8"))
}

// unreadable tells nothing of the bytes.
func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("it is a private key that can't be read")
}
