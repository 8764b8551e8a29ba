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

// PasswordName is cosign's environment variable for the password of a key.
const PasswordName = "COSIGN_PASSWORD"

type keySigner struct {
	key  crypto.Signer
	hint string
}

// Key returns a signer with a private key in PEM: one encrypted by cosign, or a plain one.
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
		return nil, errors.New("it is not a key in PEM")
	}
	der := block.Bytes
	switch block.Type {
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		var err error
		if der, err = encrypted.Decrypt(der, password); err != nil {
			return nil, failure.WithHint(errors.New("it is encrypted with another password than that in "+PasswordName), "set "+PasswordName)
		}
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(der)
		return key, unreadable(err)
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(der)
		return key, unreadable(err)
	case "PRIVATE KEY":
	case "PUBLIC KEY":
		return nil, errors.New("it is a public key: signing needs the private one")
	default:
		return nil, failure.WithHint(errors.New("it is not a private key of a supported kind"),
			"\"cosign generate-key-pair\" or \"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256\" creates one")
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if signer, ok := key.(crypto.Signer); ok && err == nil {
		return signer, nil
	}
	return nil, unreadable(errors.New("not PKCS #8"))
}

// unreadable hides the cause, which might quote the key.
func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("it is a private key that can't be read")
}
