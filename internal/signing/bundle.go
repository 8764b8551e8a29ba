// Package signing signs statements about images, and verifies who signed existing ones, as
// sigstore bundles, which cosign reads:
// https://github.com/sigstore/protobuf-specs/blob/v0.5.1/protos/sigstore_bundle.proto
//
// Signing means writing a bundle, which this package does itself; sigstore-go verifies,
// offline.
package signing

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"lamina.build/internal/attest"
)

// BundleType is the media type of a bundle.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// The annotations of a bundle that refers to an image, by which clients select it.
const (
	ContentAnnotation   = "dev.sigstore.bundle.content" // "dsse-envelope"
	PredicateAnnotation = "dev.sigstore.bundle.predicateType"
)

// Annotations returns those of a bundle with a statement.
func Annotations(predicateType string) map[string]string {
	return map[string]string{ContentAnnotation: "dsse-envelope", PredicateAnnotation: predicateType}
}

// Signer signs statements.
type Signer interface {
	// Sign returns a bundle with the statement.
	Sign(ctx context.Context, statement []byte) ([]byte, error)
}

// bundle is the part of a bundle that we write. As in encoding/json, its bytes are base64.
type bundle struct {
	MediaType string   `json:"mediaType"`
	Material  material `json:"verificationMaterial"`
	Envelope  envelope `json:"dsseEnvelope"`
}

type material struct {
	PublicKey   *publicKey   `json:"publicKey,omitempty"`
	Certificate *certificate `json:"certificate,omitempty"`
	Entries     []logEntry   `json:"tlogEntries,omitempty"`
}

type publicKey struct {
	Hint string `json:"hint"`
}

type certificate struct {
	Raw []byte `json:"rawBytes"` // DER
}

// envelope is a DSSE envelope: https://github.com/secure-systems-lab/dsse/blob/v1.0.0/envelope.md
type envelope struct {
	Payload     []byte              `json:"payload"`
	PayloadType string              `json:"payloadType"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	Signature []byte `json:"sig"`
}

// seal signs a statement with a key. The same key gives the same envelope, so that attaching
// it again adds nothing.
func seal(key crypto.Signer, statement []byte) (envelope, error) {
	text := fmt.Sprintf("DSSEv1 %d %s %d %s", len(attest.StatementType), attest.StatementType, len(statement), statement)
	sum := sha256.Sum256([]byte(text))
	signature, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return envelope{}, fmt.Errorf("signing: %w", err)
	}
	return envelope{Payload: statement, PayloadType: attest.StatementType, Signatures: []envelopeSignature{{signature}}}, nil
}

// Statement returns the content of a bundle, whoever signed it.
func Statement(data []byte) ([]byte, error) {
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("reading a sigstore bundle: %w", err)
	}
	if b.Envelope.PayloadType != attest.StatementType {
		return nil, errors.New("the sigstore bundle contains no in-toto statement")
	}
	return b.Envelope.Payload, nil
}

// hint returns the identifier of a key.
func hint(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// minRSA is the length of the shortest accepted RSA key, in bits.
const minRSA = 2048

// checkKey refuses keys that others could not verify with.
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return nil
		}
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSA {
			return nil
		}
	}
	return fmt.Errorf("the key is neither ECDSA on P-256, which cosign generates, nor RSA with at least %d bits", minRSA)
}
