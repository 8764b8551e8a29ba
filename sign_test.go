package lamina

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/attest"
	"lamina.build/internal/signing"
	"lamina.build/stages"
)

// testKey writes a key pair and returns its two files.
func testKey(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeAll(t, dir, map[string]string{
		"key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: one})),
		"key.pub": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other})),
	})
	return filepath.Join(dir, "key.pem"), filepath.Join(dir, "key.pub")
}

// An attachment is accepted if a signature for the image names it, whatever else is
// attached.
func TestVerifySignatures(t *testing.T) {
	private, public := testKey(t)
	_, other := testKey(t)
	h, err := openHost(Options{})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := h.signer(Signing{Key: private})
	if err != nil {
		t.Fatal(err)
	}
	image := digest.FromString("image")
	document := func(kind, text string) Attached {
		return Attached{Type: kind, Data: []byte(text), Digest: digest.FromString("artifact of " + text)}
	}
	statement := func(text []byte, err error) Attached {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		a, err := attachStatement(t.Context(), signer, text)
		if err != nil {
			t.Fatal(err)
		}
		return Attached{Type: a.Type, Data: a.Data, Digest: digest.FromBytes(a.Data)}
	}
	lock, bill := document(LockType(), "a lock"), document(SPDXType, "a bill")
	provenance := func(image digest.Digest) Attached {
		return statement(attest.Provenance(stages.Input{}, image, attest.Run{Lock: digest.FromBytes(lock.Data), Documents: []attest.Resource{
			attest.Of("image.lock", "", digest.FromBytes(lock.Data)), attest.Of("bill", "", digest.FromBytes(bill.Data)),
		}}))
	}
	signature := statement(attest.Signature(image), nil)
	tampered := signature
	tampered.Data = []byte(strings.Replace(string(signature.Data), `"sig":"`, `"sig":"AAAA`, 1))
	bare := func(a Attached) Attached {
		text, err := signing.Statement(a.Data)
		if err != nil {
			t.Fatal(err)
		}
		return Attached{Type: StatementType, Data: text}
	}
	for name, tt := range map[string]struct {
		key      string
		attached []Attached
		says     string // of the error; "" is none
		lock     string // that is accepted then
	}{
		"all":                       {public, []Attached{lock, bill, provenance(image), signature}, "", "a lock"},
		"another lock before it":    {public, []Attached{document(LockType(), "a forged lock"), lock, provenance(image), signature}, "", "a lock"},
		"another lock in its place": {public, []Attached{document(LockType(), "a forged lock"), bill, provenance(image), signature}, "is not the one that was signed", ""},
		"another bill in its place": {public, []Attached{lock, document(SPDXType, "a forged bill"), provenance(image), signature}, SPDXType + " is not the one that was signed", ""},
		"another key":               {other, []Attached{lock, bill, provenance(image), signature}, "no signature by the required signer", ""},
		"nothing":                   {public, nil, "no signature by the required signer", ""},
		"a tampered signature":      {public, []Attached{lock, provenance(image), tampered}, "no signature by the required signer", ""},
		"a provenance alone":        {public, []Attached{lock, provenance(image)}, "no signature by the required signer", ""},
		"of another image":          {public, []Attached{lock, statement(attest.Signature(digest.FromString("other")), nil)}, "no signature by the required signer", ""},
		"a provenance of another":   {public, []Attached{lock, provenance(digest.FromString("other")), signature}, "is not the one that was signed", ""},
		"an unsigned provenance":    {public, []Attached{lock, bare(provenance(image)), signature}, "is not the one that was signed", ""},
		"a bundle that is none":     {public, []Attached{document(BundleType, "{"), lock, bill, provenance(image), signature}, "", "a lock"},
	} {
		got, err := Inspected{Name: "it", Manifest: image, Attached: tt.attached}.Verify(Trust{Key: tt.key})
		if tt.says != "" {
			if err == nil || KindOf(err) != Findings || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if data, _ := got.Document(LockType()); err != nil || string(data) != tt.lock {
			t.Errorf("%s: the lock is %q, %v", name, data, err)
		}
		if _, ok := got.Provenance(); !ok {
			t.Errorf("%s: there is no provenance", name)
		}
	}
}

// All that lacks a signature is named at once: the index, and each of its images.
func TestVerifyAnIndex(t *testing.T) {
	private, public := testKey(t)
	h, err := openHost(Options{})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := h.signer(Signing{Key: private})
	if err != nil {
		t.Fatal(err)
	}
	signature := func(of digest.Digest) []Attached {
		a, signErr := attachStatement(t.Context(), signer, attest.Signature(of))
		if signErr != nil {
			t.Fatal(signErr)
		}
		return []Attached{{Type: a.Type, Data: a.Data}}
	}
	top, amd64, arm64 := digest.FromString("index"), digest.FromString("amd64"), digest.FromString("arm64")
	for _, tt := range []struct {
		signed []digest.Digest
		says   []string // of the error; none if there is none
	}{
		{[]digest.Digest{top, amd64, arm64}, nil},
		{[]digest.Digest{amd64, arm64}, []string{"index it has no signature"}},
		{[]digest.Digest{top, amd64}, []string{"it for linux/arm64 has no signature"}},
		{[]digest.Digest{top, arm64}, []string{"it for linux/amd64 has no signature"}},
		{[]digest.Digest{top}, []string{"it for linux/amd64 has no signature", "it for linux/arm64 has no signature"}},
		{nil, []string{"index it has no signature", "it for linux/amd64 has no signature", "it for linux/arm64 has no signature"}},
	} {
		attached := func(of digest.Digest) []Attached {
			if slices.Contains(tt.signed, of) {
				return signature(of)
			}
			return signature(digest.FromString("another"))
		}
		image := Inspected{
			Name: "it", Manifest: amd64, Platform: "linux/amd64", Attached: attached(amd64),
			Further: []Inspected{{Name: "it", Manifest: arm64, Platform: "linux/arm64", Attached: attached(arm64)}},
			Index:   &InspectedIndex{Digest: top, Attached: attached(top)},
		}
		got, err := image.Verify(Trust{Key: public})
		if tt.says == nil != (err == nil) || err != nil && (KindOf(err) != Findings || strings.Count(err.Error(), "has no signature") != len(tt.says)) {
			t.Errorf("%v are signed: it says %v", tt.signed, err)
		}
		for _, part := range tt.says {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v are signed: it does not say %q: %v", tt.signed, part, err)
			}
		}
		for of, list := range map[digest.Digest][]Attached{top: got.Index.Attached, amd64: got.Attached, arm64: got.Further[0].Attached} {
			if list[0].Signed != slices.Contains(tt.signed, of) {
				t.Errorf("%v are signed: %s is %v", tt.signed, of, list[0].Signed)
			}
		}
		if image.Attached[0].Signed || image.Index.Attached[0].Signed {
			t.Error("the argument has changed")
		}
	}
}

// Unusable keys and signers are reported before anything is done.
func TestSigningRefused(t *testing.T) {
	private, public := testKey(t)
	dir := t.TempDir()
	writeAll(t, dir, map[string]string{"root.json": "{}"})
	for says, s := range map[string]Signing{
		"nothing is signed":               {Rekor: "https://rekor.example"},
		"no such file":                    {Key: filepath.Join(dir, "none")},
		"signing needs the private one":   {Key: public},
		"no identity token":               {Key: Keyless},
		`"ftp://x" is not the address of`: {Key: Keyless, Fulcio: "ftp://x"},
	} {
		h, err := openHost(Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = h.signer(s); err == nil || KindOf(err) != Usage || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", s, err, says)
		}
	}
	h, err := openHost(Options{Offline: true, Env: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = h.signer(Signing{Key: Keyless}); err == nil || KindOf(err) != Usage || !strings.Contains(err.Error(), "offline") {
		t.Errorf("offline: %v", err)
	}
	for says, trust := range map[string]Trust{
		"exclude each other":    {Key: public, Identity: "a", Issuer: "b"},
		"requires both":         {Identity: "a"},
		"not a public key":      {Key: private},
		"no such file":          {Key: filepath.Join(dir, "none")},
		"is not a trusted root": {Identity: "a", Issuer: "b", TrustedRoot: filepath.Join(dir, "root.json")},
	} {
		if err := trust.Check(); err == nil || KindOf(err) != Usage || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", trust, err, says)
		}
	}
	if err := (Trust{}).Check(); err != nil {
		t.Error(err)
	}
}

// A public remote has no login and no path of this machine.
func TestPublicRemote(t *testing.T) {
	for remote, want := range map[string]string{
		"https://github.com/acme/app.git":                 "https://github.com/acme/app.git",
		"https://me:secret@github.com/acme/app?token=x#y": "https://github.com/acme/app",
		"git@github.com:acme/app.git":                     "ssh://github.com/acme/app.git",
		"ssh://git@github.com:22/acme/app":                "ssh://github.com:22/acme/app",
		"/srv/git/app":                                    "",
		"../app":                                          "",
		"./a:b":                                           "",
		"file:///srv/git/app":                             "",
		"":                                                "",
		"https://me:%zz@x":                                "",
	} {
		if got := publicRemote(remote); got != want {
			t.Errorf("%q gives %q, want %q", remote, got, want)
		}
	}
}
