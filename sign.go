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

// Keyless is the [Signing.Key] that stands for none: the identity of who builds signs.
const Keyless = "keyless"

// Signing says with what statements about an image are signed. The zero value signs nothing.
type Signing struct {
	// Key is the file of a private key in PEM: one of cosign's, whose password COSIGN_PASSWORD
	// has, or a plain one. [Keyless] signs with the identity token of SIGSTORE_ID_TOKEN, or
	// that which GitHub Actions gives.
	Key string
	// Fulcio and Rekor are the servers that certify an identity and log its signatures; ""
	// are those that sigstore runs for everybody.
	Fulcio, Rekor string
}

// Trust says whose signatures count: who has a key, or an identity.
type Trust struct {
	Key              string // file of a public key in PEM
	Identity, Issuer string // as the certificate of a keyless signature has them: an address of mail or of a workflow, and of who knows it
	TrustedRoot      string // file of a trusted_root.json; "" is that of sigstore's public instances
}

// signer is nil where nothing is signed. What it lacks is known before the build.
func (h *host) signer(s Signing) (signing.Signer, error) {
	switch s.Key {
	case "":
		if s.Fulcio != "" || s.Rekor != "" {
			return nil, failure.New(failure.Usage, errors.New("there is an address of Fulcio or Rekor, and nothing is signed"))
		}
		return nil, nil
	case Keyless:
		if h.o.Offline {
			return nil, failure.New(failure.Usage, errors.New("offline, nobody certifies an identity: only a key can sign"))
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

// verifier is nil where nobody is trusted.
func (t Trust) verifier() (v *signing.Verifier, err error) {
	switch keyless := t.Identity != "" || t.Issuer != "" || t.TrustedRoot != ""; {
	case t.Key == "" && !keyless:
		return nil, nil
	case t.Key != "" && keyless:
		err = errors.New("signatures are by a key or by an identity, not by both")
	case t.Key != "":
		var text []byte
		if text, err = os.ReadFile(t.Key); err == nil {
			v, err = signing.ByKey(text)
		}
		if err != nil {
			err = fmt.Errorf("reading public key %q: %w", t.Key, err)
		}
	case t.Identity == "" || t.Issuer == "":
		err = errors.New("a keyless signature has an identity and an issuer: both are needed")
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

// Check finds what is wrong with t by itself.
func (t Trust) Check() error {
	_, err := t.verifier()
	return err
}

// Verify says what of the attachments is signed by whom t trusts: it is Signed in what comes
// back. The error is of the kind [Findings] where nothing says so of the image, or where a
// document is not the one that was signed. Nobody is asked.
func (i Inspected) Verify(t Trust) (Inspected, error) {
	v, err := t.verifier()
	if err == nil && v == nil {
		err = failure.New(failure.Usage, errors.New("nobody's signatures count: there is neither a key nor an identity"))
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
		err = fmt.Errorf("%s has no signature by whom it should be", i.Name)
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

// checkDocuments marks the documents that are named. Of each kind one has to be: another one
// may be of an earlier build with the same result.
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
			problems = append(problems, fmt.Errorf("what is attached to %s as %s is not what was signed", i.Name, a.Type))
			delete(found, a.Type)
		}
	}
	return errors.Join(problems...)
}
