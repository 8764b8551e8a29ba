package lamina

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/attest"
	"lamina.build/internal/debian"
	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/sbom"
	"lamina.build/internal/signing"
	"lamina.build/lock"
	"lamina.build/output"
	"lamina.build/stages"
)

// Attachment is a document about an image that a build can attach: registries and layouts
// list it as a referrer. The image and its digest stay the same.
type Attachment string

// The attachments of images.
const (
	AttachLock Attachment = "lock" // the image.lock that it was built from
	AttachSBOM Attachment = "sbom" // its content, in SPDX 2.3 and in CycloneDX 1.6

	AttachProvenance Attachment = "provenance" // how it was built and from what, in SLSA provenance v1
)

// The media types of attachments.
const (
	SPDXType      = sbom.SPDXType
	CycloneDXType = sbom.CycloneDXType
	StatementType = attest.StatementType // an unsigned provenance
	BundleType    = signing.BundleType   // a signed statement: a signature, a provenance, a verification
)

// The annotations of attachments that say how an image was built.
const (
	VariantAnnotation = "build.lamina.variant"
	EngineAnnotation  = "build.lamina.engine" // "BuildKit v0.34.2"

	SnapshotterAnnotation = "build.lamina.snapshotter" // of the engine: "overlayfs"
)

// LockType is the media type of an attached image.lock.
func LockType() string { return lockType(strconv.Itoa(lock.Version)) }

func lockType(version string) string { return "application/vnd.lamina.lock.v" + version + "+toml" }

// isLock says whether a media type is that of an image.lock, also in the format of another
// version of Lamina, which [lock.Parse] names.
func isLock(media string) bool {
	before, after, _ := strings.Cut(lockType("N"), "N")
	number, ok := strings.CutPrefix(media, before)
	number, of := strings.CutSuffix(number, after)
	_, err := strconv.ParseUint(number, 10, 16)
	return ok && of && err == nil
}

// checkAttachments reports unknown attachments, and outputs that hold none.
func (b Build) checkAttachments() error {
	var problems []error
	for _, a := range b.Attach {
		if !slices.Contains([]Attachment{AttachLock, AttachSBOM, AttachProvenance}, a) {
			problems = append(problems, fmt.Errorf("attachment %q is not one of lock, sbom, provenance", a))
		}
	}
	holds := func(o output.Output) bool { return o.Push || o.Layout() }
	if (len(b.Attach) > 0 || b.Sign.Key != "") && len(b.Outputs) > 0 && !slices.ContainsFunc(b.Outputs, holds) {
		problems = append(problems, errors.New("no output is a registry or an OCI layout; only these hold attachments"))
	}
	return errors.Join(problems...)
}

// documents returns a function that makes the attachments of an image drawn from in;
// without are the optional projects that could not be built. Signing an image includes
// signing its provenance, which names the other documents.
func (s site) documents(ctx context.Context, in stages.Input, without []string) func(layout.Image) ([]referrer.Attachment, error) {
	if len(s.Attach) == 0 && s.signer == nil {
		return nil
	}
	annotations := map[string]string{VariantAnnotation: s.spec.Variant, EngineAnnotation: s.builtWith()}
	if s.engine.Snapshotter != "" {
		annotations[SnapshotterAnnotation] = s.engine.Snapshotter
	}
	return func(image layout.Image) (list []referrer.Attachment, err error) {
		if list, err = s.contents(in, image.Desc.Digest, without); err != nil {
			return nil, err
		}
		statements, err := s.statements(ctx, in, image.Desc.Digest, list, without, s.builtWith())
		if list = append(list, statements...); err != nil {
			return nil, err
		}
		for i := range list {
			list[i].Created = s.lock.Created()
			maps.Copy(list[i].Annotations, annotations)
		}
		return list, nil
	}
}

// contents returns the requested documents on what is in an image: its lock and its SBOMs.
func (j job) contents(in stages.Input, image digest.Digest, without []string) (list []referrer.Attachment, err error) {
	add := func(kind, name string, data []byte) {
		list = append(list, referrer.Attachment{Type: kind, Name: name, Data: data, Annotations: map[string]string{}})
	}
	if slices.Contains(j.Attach, AttachLock) {
		add(LockType(), LockName, j.whole.Format())
	}
	if slices.Contains(j.Attach, AttachSBOM) {
		bill := sbom.Of(in, image, without)
		spdx, spdxErr := bill.SPDX()
		cyclonedx, cyclonedxErr := bill.CycloneDX()
		add(sbom.SPDXType, "sbom.spdx.json", spdx)
		add(sbom.CycloneDXType, "sbom.cdx.json", cyclonedx)
		err = errors.Join(spdxErr, cyclonedxErr)
	}
	return list, err
}

// statements returns the statements on how an image was built, which also name the other
// documents, signed if there is a signer.
func (j job) statements(ctx context.Context, in stages.Input, image digest.Digest, others []referrer.Attachment, without []string, engine string) (list []referrer.Attachment, err error) {
	if j.signer == nil && !slices.Contains(j.Attach, AttachProvenance) {
		return nil, nil
	}
	run := j.provenanceRun(engine)
	run.Lock, run.LeftOut = digest.FromBytes(j.whole.Format()), without
	// Whatever mirror Debian's packages come from, the snapshot archive has them at the lock's date.
	run.Materials = j.lock.Materials(debian.Snapshot(j.lock.Created()))
	for _, a := range others {
		named := attest.Of(a.Name, "", a.Blob().Digest)
		named.MediaType = a.Type
		run.Documents = append(run.Documents, named)
	}
	provenance, err := attest.Provenance(in, image, run)
	if err != nil {
		return nil, err
	}
	texts := [][]byte{provenance}
	if j.signer != nil {
		texts = append(texts, attest.Signature(image))
	}
	for _, text := range texts {
		a, err := attachStatement(ctx, j.signer, text)
		if err != nil {
			return nil, err
		}
		maps.Copy(a.Annotations, commitAnnotations(run.Source))
		list = append(list, a)
	}
	return list, nil
}

// indexDocuments returns a function that signs an index, whose images have their own
// documents: nothing else says that they belong together.
func (j job) indexDocuments(ctx context.Context) func(layout.Image) ([]referrer.Attachment, error) {
	if j.signer == nil {
		return nil
	}
	return func(index layout.Image) ([]referrer.Attachment, error) {
		a, err := attachStatement(ctx, j.signer, attest.Signature(index.Desc.Digest))
		if err != nil {
			return nil, err
		}
		a.Created, a.Annotations[VariantAnnotation] = j.lock.Created(), j.spec.Variant
		return []referrer.Attachment{a}, nil
	}
}

// attachStatement returns the attachment of a statement, signed if there is a signer.
func attachStatement(ctx context.Context, signer signing.Signer, text []byte) (a referrer.Attachment, err error) {
	s, err := attest.Parse(text)
	if err != nil {
		return a, err
	}
	name := path.Base(path.Dir(s.PredicateType)) // "provenance"
	if signer == nil {
		return referrer.Attachment{
			Type: attest.StatementType, Name: name + ".json", Data: text,
			Annotations: map[string]string{attest.PredicateAnnotation: s.PredicateType},
		}, nil
	}
	a = referrer.Attachment{Type: signing.BundleType, Name: name + ".sigstore.json", Annotations: signing.Annotations(s.PredicateType)}
	if a.Data, err = signer.Sign(ctx, text); err != nil {
		return a, fmt.Errorf("signing the image: %w", err)
	}
	return a, nil
}
