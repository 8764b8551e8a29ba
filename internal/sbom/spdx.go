package sbom

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// SPDXType is the media type of an SPDX document.
const SPDXType = "application/spdx+json"

// none means that a document makes no statement, as of SPDX 2.3.
const none = "NOASSERTION"

// SPDX writes the bill as an SPDX 2.3 document, in JSON:
// https://spdx.github.io/spdx-spec/v2.3/.
//
// Files of models are packages there: a file would need an SHA-1, which no source has.
func (b Bill) SPDX() ([]byte, error) {
	image := b.spdxImage()
	doc := spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName: b.Name, DocumentNamespace: b.namespace("spdx"),
		CreationInfo: &spdx.CreationInfo{
			Created:  b.Created.Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "lamina"}},
		},
		Packages:      []*spdx.Package{image},
		Relationships: []*spdx.Relationship{related("DOCUMENT", common.TypeRelationshipDescribe, image.PackageSPDXIdentifier)},
	}
	var refs []string
	ids := map[*Component]common.ElementID{nil: image.PackageSPDXIdentifier}
	b.walk(func(c, parent *Component) {
		p := spdxPackage(*c)
		refs = append(refs, reference.FindAllString(c.License, -1)...)
		p.PackageSPDXIdentifier = common.ElementID(string(c.Kind) + "-" + strconv.Itoa(len(doc.Packages)))
		ids[c] = p.PackageSPDXIdentifier
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, related(ids[parent], common.TypeRelationshipContains, p.PackageSPDXIdentifier))
	})
	slices.Sort(refs)
	for _, ref := range slices.Compact(refs) {
		name := strings.ReplaceAll(strings.TrimPrefix(ref, "LicenseRef-"), "-", " ")
		doc.OtherLicenses = append(doc.OtherLicenses, &spdx.OtherLicense{LicenseIdentifier: ref, LicenseName: name, ExtractedText: name})
	}
	var text bytes.Buffer
	if err := spdxjson.Write(&doc, &text, spdxjson.EscapeHTML(false)); err != nil {
		return nil, fmt.Errorf("writing the SPDX document: %w", err)
	}
	return text.Bytes(), nil
}

func (b Bill) spdxImage() *spdx.Package {
	return &spdx.Package{
		PackageName: b.Name, PackageVersion: b.Version, PackageSPDXIdentifier: "image",
		PackageDownloadLocation: none, PackageLicenseConcluded: none, PackageLicenseDeclared: none,
		PackageCopyrightText: none, PrimaryPackagePurpose: "CONTAINER",
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: b.Manifest.Encoded()}},
	}
}

func spdxPackage(c Component) *spdx.Package {
	p := &spdx.Package{
		PackageName: c.Name, PackageVersion: c.Version, PackageFileName: cmp.Or(c.Path, c.File),
		PackageDownloadLocation: cmp.Or(c.URL, none), PackageLicenseConcluded: none, PackageLicenseDeclared: cmp.Or(c.License, none),
		PackageCopyrightText: none, PrimaryPackagePurpose: purposes()[c.Kind],
	}
	if c.SHA256 != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: c.SHA256}}
	}
	if c.PURL != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{
			{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: c.PURL},
		}
	}
	return p
}

// reference matches a license in an expression that SPDX has no name for: a document then
// states what is known of it, which is the package's name for it.
var reference = regexp.MustCompile(`LicenseRef-[A-Za-z0-9.-]+`)

// purposes returns the primary purposes of packages, as of SPDX 2.3, 7.24.
func purposes() map[Kind]string {
	return map[Kind]string{Debian: "LIBRARY", Python: "LIBRARY", Git: "SOURCE", Source: "LIBRARY", App: "APPLICATION", Weights: "OTHER", File: "FILE"}
}

func related(a common.ElementID, how string, b common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.MakeDocElementID("", string(a)), Relationship: how, RefB: common.MakeDocElementID("", string(b))}
}
