package attest

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// Rebuild is an image that was rebuilt from its lock, with the same digest.
type Rebuild struct {
	Image  string // its name in a registry; "" if none
	Lock   digest.Digest
	Lamina string // version
	Engine string // "BuildKit v0.34.2"
	Time   time.Time
}

// verifiedLevel is the claim of a rebuild. SLSA has no level for it.
const verifiedLevel = "LAMINA_REPRODUCED"

type verification struct {
	Verifier    builder    `json:"verifier"`
	Time        time.Time  `json:"timeVerified"`
	ResourceURI string     `json:"resourceUri"`
	Policy      Resource   `json:"policy"`
	Inputs      []Resource `json:"inputAttestations"`
	Result      string     `json:"verificationResult"`
	Levels      []string   `json:"verifiedLevels"`
	SLSAVersion string     `json:"slsaVersion"`
}

// Verification states that an image, or an index and the images in it, was rebuilt with the
// same result: https://slsa.dev/spec/v1.0/verification_summary.
func Verification(top digest.Digest, r Rebuild, images ...digest.Digest) ([]byte, error) {
	uri := top.String()
	if r.Image != "" {
		uri = "oci://" + r.Image
	}
	return write(subjects(top, images...), VerificationV1, verification{
		Verifier: builder{ID: builderID, Version: map[string]string{"lamina": r.Lamina, "engine": r.Engine}},
		Time:     r.Time, ResourceURI: uri, Result: "PASSED", Levels: []string{verifiedLevel}, SLSAVersion: "1.0",
		Policy: Resource{URI: "https://lamina.build/verify/v1"}, Inputs: []Resource{Of("image.lock", "", r.Lock)},
	})
}
