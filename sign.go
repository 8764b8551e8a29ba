package lamina

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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
// signed. The error is of the kind [Findings] if the image, an index or another image in it
// isn't signed so, or a document is not the one that was signed; it names each. It contacts
// no server.
func (i Inspected) Verify(t Trust) (Inspected, error) {
	v, err := t.verifier()
	if err == nil && v == nil {
		err = failure.New(failure.Usage, errors.New("verifying signatures requires a key or an identity"))
	}
	if err != nil {
		return i, err
	}
	if i.Index == nil {
		i, err = i.verify(v, i.Name)
		return i, failure.New(failure.Findings, err)
	}
	index := *i.Index
	index.Attached, _, err = signed(v, index.Attached, index.Digest, "index "+i.Name)
	problems := []error{err}
	images := append([]Inspected{i}, i.Further...)
	for k, image := range images {
		images[k], err = image.verify(v, image.Name+" for "+image.Platform)
		problems = append(problems, err)
	}
	i = images[0]
	i.Index, i.Further = &index, images[1:]
	return i, failure.New(failure.Findings, errors.Join(problems...))
}

// verify does so for one image.
func (i Inspected) verify(v *signing.Verifier, called string) (Inspected, error) {
	var named map[digest.Digest]bool
	var err error
	if i.Attached, named, err = signed(v, i.Attached, i.Manifest, called); err == nil {
		err = i.checkDocuments(named, called)
	}
	return i, err
}

// signed marks the statements about a manifest or an index that a trusted signer has signed,
// and returns the documents that they name. One of them must be the signature itself.
func signed(v *signing.Verifier, attached []Attached, of digest.Digest, called string) (checked []Attached, named map[digest.Digest]bool, err error) {
	checked, named = slices.Clone(attached), map[digest.Digest]bool{}
	isSigned := false
	var problems []error
	for k, a := range checked {
		if a.Type != BundleType {
			continue
		}
		var documents map[digest.Digest]bool
		s, problem := v.Verify(a.Data, of)
		if problem == nil {
			documents, problem = s.Byproducts()
		}
		if problem != nil {
			problems = append(problems, fmt.Errorf("%s: %w", a.Digest, problem))
			continue
		}
		checked[k].Signed = true
		isSigned = isSigned || s.PredicateType == attest.SignatureV1
		maps.Copy(named, documents)
	}
	if !isSigned {
		err = fmt.Errorf("%s has no signature by the required signer", called)
		if len(problems) > 0 {
			err = fmt.Errorf("%w: %w", err, errors.Join(problems...))
		}
	}
	return checked, named, err
}

// checkDocuments marks the documents that are named. At least one of each kind must be:
// others may be from an earlier build with the same result.
func (i Inspected) checkDocuments(named map[digest.Digest]bool, called string) error {
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
			problems = append(problems, fmt.Errorf("the attachment of %s with type %s is not the one that was signed", called, a.Type))
			delete(found, a.Type)
		}
	}
	return errors.Join(problems...)
}
