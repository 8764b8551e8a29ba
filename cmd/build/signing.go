package main

import (
	"github.com/spf13/pflag"

	"lamina.build"
)

// signFlags say with what something is signed.
func signFlags(f *pflag.FlagSet, s *lamina.Signing, what string) {
	f.StringVar(&s.Key, "sign", "", what+", with the private key in this `FILE` (PEM, or cosign's with COSIGN_PASSWORD); "+
		"\"keyless\": with the identity token that SIGSTORE_ID_TOKEN or GitHub Actions gives")
	f.StringVar(&s.Fulcio, "fulcio-url", "", "`URL` of the Fulcio that certifies identities (default: sigstore's)")
	f.StringVar(&s.Rekor, "rekor-url", "", "`URL` of the Rekor that logs their signatures (default: sigstore's)")
}

// trustFlags say whose signatures count.
func trustFlags(f *pflag.FlagSet, t *lamina.Trust) {
	f.StringVar(&t.Key, "key", "", "the image must be signed by the owner of the public key in this `FILE`")
	f.StringVar(&t.Identity, "certificate-identity", "", "the image must be signed by this `IDENTITY`, which a certificate names: an address of mail or of a workflow")
	f.StringVar(&t.Issuer, "certificate-oidc-issuer", "", "`URL` of the issuer of its identity tokens")
	f.StringVar(&t.TrustedRoot, "trusted-root", "", "`FILE` with the authorities and logs that are believed (default: those of sigstore's public instances)")
}
