package main

import (
	"github.com/spf13/pflag"

	"lamina.build"
)

// signFlags adds the flags for signing.
func signFlags(f *pflag.FlagSet, s *lamina.Signing, what string) {
	f.StringVar(&s.Key, "sign", "", what+", with the private key in this `FILE` (PEM, or cosign's with COSIGN_PASSWORD); "+
		"\"keyless\": with the identity token from SIGSTORE_ID_TOKEN or GitHub Actions")
	f.StringVar(&s.Fulcio, "fulcio-url", "", "`URL` of the Fulcio server that certifies identities (default: sigstore's)")
	f.StringVar(&s.Rekor, "rekor-url", "", "`URL` of the Rekor server that logs their signatures (default: sigstore's)")
}

// trustFlags adds the flags that name accepted signers.
func trustFlags(f *pflag.FlagSet, t *lamina.Trust) {
	f.StringVar(&t.Key, "key", "", "require a signature that the public key in this `FILE` verifies")
	f.StringVar(&t.Identity, "certificate-identity", "", "require a signature by this `IDENTITY` in a certificate: an email address or a workflow's URL")
	f.StringVar(&t.Issuer, "certificate-oidc-issuer", "", "`URL` of the issuer of the identity's tokens")
	f.StringVar(&t.TrustedRoot, "trusted-root", "", "`FILE` with the trusted authorities and logs (default: those of sigstore's public instances)")
}
