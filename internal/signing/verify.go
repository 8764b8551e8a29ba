package signing

import (
	"crypto"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	sigbundle "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"lamina.build/internal/attest"
)

// PublicRoot is the trusted root of sigstore's public instances, from sigstore-go v1.2.2.
//
//go:embed public_root.json
var PublicRoot []byte

// Verifier verifies that a trusted party signed a bundle. It doesn't use the network.
type Verifier struct {
	verifier *verify.Verifier
	policy   verify.PolicyOption
}

// ByKey trusts the owner of a public key in PEM, whose signatures have no time.
func ByKey(text []byte) (*Verifier, error) {
	key, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return nil, errors.New("it is not a public key in PEM")
	}
	if err = checkKey(key); err != nil {
		return nil, err
	}
	one, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	always := root.NewExpiringKey(one, time.Time{}, time.Time{})
	trusted := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return always, nil })
	v, err := verify.NewVerifier(trusted, verify.WithNoObserverTimestamps())
	return &Verifier{v, verify.WithKey()}, err
}

// ByIdentity trusts the holder of an identity with an issuer of identity tokens, as certified
// by authorities and logs of a trusted root: the text of a trusted_root.json.
func ByIdentity(identity, issuer string, trustedRoot []byte) (*Verifier, error) {
	who, err := verify.NewShortCertificateIdentity(issuer, "", identity, "")
	if err != nil {
		return nil, err
	}
	trusted, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, errors.New("it is not a trusted root of sigstore")
	}
	// A root names the logs that its authority writes to; entries in them are required.
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1)}
	if len(trusted.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	v, err := verify.NewVerifier(trusted, options...)
	return &Verifier{v, verify.WithCertificateIdentity(who)}, err
}

// Verify returns the statement about an image in a bundle.
func (v *Verifier) Verify(data []byte, image digest.Digest) (s attest.Statement, err error) {
	var b sigbundle.Bundle
	if err = b.UnmarshalJSON(data); err != nil {
		return s, fmt.Errorf("reading a sigstore bundle: %w", err)
	}
	sum, err := hex.DecodeString(image.Encoded())
	if err != nil {
		return s, err
	}
	if _, err = v.verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest(string(image.Algorithm()), sum), v.policy)); err != nil {
		return s, err
	}
	content, err := b.SignatureContent() // as verified
	if err != nil {
		return s, err
	}
	held := content.EnvelopeContent()
	if held == nil || held.RawEnvelope().PayloadType != attest.StatementType {
		return s, errors.New("the sigstore bundle contains no in-toto statement")
	}
	text, err := held.RawEnvelope().DecodeB64Payload()
	if err != nil {
		return s, err
	}
	return attest.Parse(text)
}
