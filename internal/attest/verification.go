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

// Verification states that an image was rebuilt with the same result:
// https://slsa.dev/spec/v1.0/verification_summary.
func Verification(image digest.Digest, r Rebuild) ([]byte, error) {
	uri := image.String()
	if r.Image != "" {
		uri = "oci://" + r.Image
	}
	return write(image, VerificationV1, verification{
		Verifier: builder{ID: builderID, Version: map[string]string{"lamina": r.Lamina, "engine": r.Engine}},
		Time:     r.Time, ResourceURI: uri, Result: "PASSED", Levels: []string{verifiedLevel}, SLSAVersion: "1.0",
		Policy: Resource{URI: "https://lamina.build/verify/v1"}, Inputs: []Resource{Of("image.lock", "", r.Lock)},
	})
}
