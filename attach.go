package lamina

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/sbom"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/stages"
)

// Attachment is what a build can say about an image in documents of their own, which
// registries and layouts list as its referrers. The image and its digest stay as they are.
type Attachment string

// The attachments of images.
const (
	AttachLock Attachment = "lock" // the image.lock that it was built from
	AttachSBOM Attachment = "sbom" // what it is made of, in SPDX 2.3 and in CycloneDX 1.6
)

// The media types of attached SBOMs.
const (
	SPDXType      = sbom.SPDXType
	CycloneDXType = sbom.CycloneDXType
)

// The annotations of attachments that say how an image was built.
const (
	VariantAnnotation = "build.lamina.variant"
	EngineAnnotation  = "build.lamina.engine" // "BuildKit v0.34.2"
)

// LockType is the media type of an attached image.lock.
func LockType() string { return "application/vnd.lamina.lock.v" + strconv.Itoa(lock.Version) + "+toml" }

// checkAttachments finds what can't be attached, or to nothing.
func (b Build) checkAttachments() error {
	var faults []error
	for _, a := range b.Attach {
		if !slices.Contains([]Attachment{AttachLock, AttachSBOM}, a) {
			faults = append(faults, fmt.Errorf("attachment %q is none of lock, sbom", a))
		}
	}
	holds := func(o output.Output) bool { return o.Push || o.Layout() }
	if len(b.Attach) > 0 && len(b.Outputs) > 0 && !slices.ContainsFunc(b.Outputs, holds) {
		faults = append(faults, errors.New("no output is a registry or an OCI layout, which alone have attachments"))
	}
	return errors.Join(faults...)
}

// documents says what is attached to an image that was drawn from in; without are the
// optional projects that could not be built.
func (j job) documents(in stages.Input, without []string, engine string) func(layout.Image) ([]referrer.Attachment, error) {
	if len(j.Attach) == 0 {
		return nil
	}
	return func(image layout.Image) (list []referrer.Attachment, err error) {
		add := func(kind, name string, data []byte) {
			list = append(list, referrer.Attachment{
				Type: kind, Name: name, Created: j.lock.Created(), Data: data,
				Annotations: map[string]string{VariantAnnotation: j.spec.Variant, EngineAnnotation: engine},
			})
		}
		if slices.Contains(j.Attach, AttachLock) {
			add(LockType(), LockName, j.whole.Format())
		}
		if slices.Contains(j.Attach, AttachSBOM) {
			bill := sbom.Of(in, image.Desc.Digest, without)
			spdx, err := bill.SPDX()
			if err != nil {
				return nil, err
			}
			add(sbom.SPDXType, "sbom.spdx.json", spdx)
			cyclonedx, err := bill.CycloneDX()
			if err != nil {
				return nil, err
			}
			add(sbom.CycloneDXType, "sbom.cdx.json", cyclonedx)
		}
		return list, nil
	}
}
