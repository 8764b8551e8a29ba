package debian

import (
	"bytes"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

//go:embed keys/*.gpg
var archiveKeys embed.FS

// Keyring is a set of keys that may sign an index.
type Keyring struct {
	name     string
	entities openpgp.EntityList
}

// ArchiveKeys returns Debian's own signing keys.
func ArchiveKeys() (Keyring, error) {
	ring := Keyring{name: "the keys of Debian's archive"}
	entries, err := archiveKeys.ReadDir("keys")
	if err != nil {
		return Keyring{}, err
	}
	for _, e := range entries {
		data, err := archiveKeys.ReadFile("keys/" + e.Name())
		if err != nil {
			return Keyring{}, err
		}
		one, err := ParseKeys(e.Name(), data)
		if err != nil {
			return Keyring{}, err
		}
		ring.entities = append(ring.entities, one.entities...)
	}
	return ring, nil
}

// armoured begins an armoured block of keys.
const armoured = "-----BEGIN PGP PUBLIC KEY BLOCK-----"

// ParseKeys reads the public keys in a file, either binary or in one or more armoured blocks.
// The name is for messages.
func ParseKeys(name string, data []byte) (Keyring, error) {
	read, parts := openpgp.ReadKeyRing, [][]byte{data}
	if blocks := bytes.Split(data, []byte(armoured)); len(blocks) > 1 {
		read, parts = openpgp.ReadArmoredKeyRing, blocks[1:]
		for i, block := range parts {
			parts[i] = slices.Concat([]byte(armoured), block)
		}
	}
	var entities openpgp.EntityList
	var err error
	for _, part := range parts {
		some, bad := read(bytes.NewReader(part))
		entities, err = append(entities, some...), errors.Join(err, bad)
	}
	if err == nil && len(entities) == 0 {
		err = errors.New("no key in it")
	}
	if err != nil {
		return Keyring{}, fmt.Errorf("reading key file %q: %w", name, err)
	}
	return Keyring{name: "the keys in " + name, entities: entities}, nil
}

// Fingerprints returns the fingerprints of the primary keys, in upper case.
func (k Keyring) Fingerprints() []string {
	prints := make([]string, len(k.entities))
	for i, e := range k.entities {
		prints[i] = fingerprint(e)
	}
	return prints
}

func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint))
}

// Verify checks the clear signature of an InRelease as of now. It returns the signed text and
// the sorted fingerprints of the trusted keys that signed it. One good signature is enough:
// Debian signs with old and new keys at once. The subject is for messages.
func (k Keyring) Verify(subject string, inRelease []byte, now time.Time) (text []byte, signers []string, err error) {
	block, rest := clearsign.Decode(inRelease)
	if block == nil {
		return nil, nil, &signatureError{subject, "it is not signed"}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, nil, &signatureError{subject, "more text follows the signature"}
	}
	signers, err = k.check(subject, block.Bytes, block.ArmoredSignature.Body, now)
	return block.Plaintext, signers, err
}

// VerifyDetached is [Keyring.Verify] for a Release with a Release.gpg.
func (k Keyring) VerifyDetached(subject string, release, signature []byte, now time.Time) (signers []string, err error) {
	var body io.Reader = bytes.NewReader(signature)
	if bytes.HasPrefix(bytes.TrimSpace(signature), []byte("-----BEGIN PGP")) {
		block, err := armor.Decode(body)
		if err != nil {
			return nil, &signatureError{subject, "its signature can't be read: " + err.Error()}
		}
		body = block.Body
	}
	return k.check(subject, release, body, now)
}

// check tries the signatures one by one: an unknown or broken one doesn't affect the others.
func (k Keyring) check(subject string, signed []byte, signatures io.Reader, now time.Time) ([]string, error) {
	var signers []string
	var reasons []string
	packets := packet.NewReader(signatures)
	for {
		p, err := packets.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &signatureError{subject, "its signature can't be read: " + err.Error()}
		}
		sig, ok := p.(*packet.Signature)
		if !ok {
			continue
		}
		signer, err := k.checkOne(signed, sig, now)
		if err != nil {
			reasons = append(reasons, err.Error())
			continue
		}
		signers = append(signers, fingerprint(signer))
	}
	if len(signers) == 0 {
		if len(reasons) == 0 {
			reasons = []string{"it is not signed"}
		}
		return nil, &signatureError{subject, strings.Join(slices.Compact(reasons), "; ")}
	}
	slices.Sort(signers)
	return slices.Compact(signers), nil
}

// clockLag is how far this machine's clock may be behind a signer's: indexes are signed
// several times a day.
const clockLag = 24 * time.Hour

func (k Keyring) checkOne(signed []byte, sig *packet.Signature, now time.Time) (*openpgp.Entity, error) {
	var one bytes.Buffer
	if err := sig.Serialize(&one); err != nil {
		return nil, err
	}
	if at := sig.CreationTime; at.After(now) && at.Before(now.Add(clockLag)) {
		now = at
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	signer, err := openpgp.CheckDetachedSignature(k.entities, bytes.NewReader(signed), &one, config)
	var bad pgperrors.SignatureError
	switch {
	case err == nil:
		return signer, nil
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return nil, fmt.Errorf("it is signed by the key %s, which is not among %s", issuer(sig), k.name)
	case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrSignatureExpired):
		return nil, fmt.Errorf("the key %s or its signature has expired, or is from the future by this machine's clock", issuer(sig))
	case errors.As(err, &bad):
		return nil, fmt.Errorf("the signature by the key %s does not match: the text was altered after it was signed", issuer(sig))
	}
	return nil, err
}

func issuer(sig *packet.Signature) string {
	if len(sig.IssuerFingerprint) > 0 {
		return fmt.Sprintf("%X", sig.IssuerFingerprint)
	}
	if sig.IssuerKeyId != nil {
		return fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	return "of nobody"
}
