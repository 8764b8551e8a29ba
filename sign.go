package lamina

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/attest"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/signing"
)

// Keyless is the [Signing.Key] for signing with the builder's identity instead of a key.
const Keyless = "keyless"

// Signing is how to sign statements about an image. The zero value signs nothing.
type Signing struct {
	// Key is the file of a private key in PEM: a cosign key, whose password is in
	// COSIGN_PASSWORD, or a plain one. [Keyless] signs with the identity token in
	// SIGSTORE_ID_TOKEN, or that of GitHub Actions.
	Key string
	// Fulcio and Rekor are the servers that certify an identity and log its signatures; ""
	// are sigstore's public ones.
	Fulcio, Rekor string
}

// Trust names whose signatures are accepted: the owner of a key, or an identity.
type Trust struct {
	Key              string // file of a public key in PEM
	Identity, Issuer string // in the certificate of a keyless signature: an email address or a workflow's URL, and the URL of its issuer
	TrustedRoot      string // a trusted_root.json file; "" is that of sigstore's public instances
}

// signer returns nil if nothing is signed. It reports what is missing before the build.
func (h *host) signer(s Signing) (signing.Signer, error) {
	switch s.Key {
	case "":
		if s.Fulcio != "" || s.Rekor != "" {
			return nil, failure.New(failure.Usage, errors.New("an address of Fulcio or Rekor is given, but nothing is signed"))
		}
		return nil, nil
	case Keyless:
		if h.o.Offline {
			return nil, failure.New(failure.Usage, errors.New("keyless signing can't be done offline; sign with a key"))
		}
		k := signing.Keyless{
			HTTP: fetch.New(fetch.Options{}), Env: h.env,
			Fulcio: strings.TrimSuffix(cmp.Or(s.Fulcio, signing.PublicFulcio), "/"), Rekor: strings.TrimSuffix(cmp.Or(s.Rekor, signing.PublicRekor), "/"),
		}
		if err := k.Check(); err != nil {
			return nil, failure.New(failure.Usage, fmt.Errorf("signing without a key: %w", err))
		}
		return k, nil
	}
	text, err := os.ReadFile(s.Key)
	var signer signing.Signer
	if err == nil {
		signer, err = signing.Key(text, []byte(h.env(signing.PasswordName)))
	}
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading signing key %q: %w", s.Key, err))
	}
	return signer, nil
}

// verifier returns nil if no signer is trusted.
func (t Trust) verifier() (v *signing.Verifier, err error) {
	switch keyless := t.Identity != "" || t.Issuer != "" || t.TrustedRoot != ""; {
	case t.Key == "" && !keyless:
		return nil, nil
	case t.Key != "" && keyless:
		err = errors.New("a key and an identity exclude each other")
	case t.Key != "":
		var text []byte
		if text, err = os.ReadFile(t.Key); err == nil {
			v, err = signing.ByKey(text)
		}
		if err != nil {
			err = fmt.Errorf("reading public key %q: %w", t.Key, err)
		}
	case t.Identity == "" || t.Issuer == "":
		err = errors.New("a keyless signature requires both an identity and an issuer")
	default:
		text := signing.PublicRoot
		if t.TrustedRoot != "" {
			text, err = os.ReadFile(t.TrustedRoot)
		}
		if err == nil {
			v, err = signing.ByIdentity(t.Identity, t.Issuer, text)
		}
		if err != nil && t.TrustedRoot != "" {
			err = fmt.Errorf("reading trusted root %q: %w", t.TrustedRoot, err)
		}
	}
	return v, failure.New(failure.Usage, err)
}

// Check reports problems of t by itself.
func (t Trust) Check() error {
	_, err := t.verifier()
	return err
}

// Verify returns the image with Signed set on the attachments that a signer trusted by t has
// signed. The error is of the kind [Findings] if the image isn't signed so, or a document is
// not the one that was signed. It contacts no server.
func (i Inspected) Verify(t Trust) (Inspected, error) {
	v, err := t.verifier()
	if err == nil && v == nil {
		err = failure.New(failure.Usage, errors.New("verifying signatures requires a key or an identity"))
	}
	if err != nil {
		return i, err
	}
	checked := make([]Attached, len(i.Attached))
	copy(checked, i.Attached)
	i.Attached = checked
	named := map[digest.Digest]bool{}
	isSigned := false
	var problems []error
	for k, a := range i.Attached {
		if a.Type != BundleType {
			continue
		}
		var documents map[digest.Digest]bool
		s, problem := v.Verify(a.Data, i.Manifest)
		if problem == nil {
			documents, problem = s.Byproducts()
		}
		if problem != nil {
			problems = append(problems, fmt.Errorf("%s: %w", a.Digest, problem))
			continue
		}
		i.Attached[k].Signed = true
		isSigned = isSigned || s.PredicateType == attest.SignatureV1
		for d := range documents {
			named[d] = true
		}
	}
	if !isSigned {
		err = fmt.Errorf("%s has no signature by the required signer", i.Name)
		if len(problems) > 0 {
			err = fmt.Errorf("%w: %w", err, errors.Join(problems...))
		}
		return i, failure.New(failure.Findings, err)
	}
	err = i.checkDocuments(named)
	i.Further = slices.Clone(i.Further)
	for k, further := range i.Further {
		var problem error
		i.Further[k], problem = further.Verify(t)
		err = errors.Join(err, problem)
	}
	return i, failure.New(failure.Findings, err)
}

// checkDocuments marks the documents that are named. At least one of each kind must be:
// others may be from an earlier build with the same result.
func (i Inspected) checkDocuments(named map[digest.Digest]bool) error {
	found := map[string]bool{}
	for k, a := range i.Attached {
		if isDocument(a.Type) {
			i.Attached[k].Signed = named[digest.FromBytes(a.Data)]
			found[a.Type] = found[a.Type] || i.Attached[k].Signed
		}
	}
	var problems []error
	for _, a := range i.Attached {
		if signed, is := found[a.Type]; is && !signed {
			problems = append(problems, fmt.Errorf("the attachment of %s with type %s is not the one that was signed", i.Name, a.Type))
			delete(found, a.Type)
		}
	}
	return errors.Join(problems...)
}
