package sbom

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// CycloneDXType is the media type of a CycloneDX document in JSON.
const CycloneDXType = "application/vnd.cyclonedx+json"

// CycloneDX writes the bill as a CycloneDX 1.6 document, in JSON:
// https://cyclonedx.org/docs/1.6/json/. Models are components of the type
// machine-learning-model, and their files are components of these.
func (b Bill) CycloneDX() ([]byte, error) {
	image := cyclonedx.Component{
		BOMRef: "image", Type: cyclonedx.ComponentTypeContainer, Name: b.Name, Version: cmp.Or(b.Version, b.Manifest.String()),
		Hashes: sha256(b.Manifest.Encoded()), Properties: properties("lamina:variant", b.Variant),
	}
	doc := cyclonedx.NewBOM()
	doc.SerialNumber = "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(b.namespace("cyclonedx"))).String()
	doc.Metadata = &cyclonedx.Metadata{
		Timestamp: b.Created.Format(time.RFC3339), Component: &image,
		Tools: &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: "lamina"}}},
	}
	list, refs := make([]cyclonedx.Component, len(b.Components)), make([]string, len(b.Components))
	for i, c := range b.Components {
		refs[i] = string(c.Kind) + "-" + strconv.Itoa(i)
		list[i] = cyclonedxComponent(c, refs[i])
	}
	doc.Components = &list
	doc.Dependencies = &[]cyclonedx.Dependency{{Ref: image.BOMRef, Dependencies: &refs}}
	var text bytes.Buffer
	e := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(false).SetEscapeHTML(false)
	if err := e.EncodeVersion(doc, cyclonedx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("writing the CycloneDX document: %w", err)
	}
	return text.Bytes(), nil
}

func cyclonedxComponent(c Component, ref string) cyclonedx.Component {
	made := cyclonedx.Component{
		BOMRef: ref, Type: types()[c.Kind], Name: c.Name, Version: c.Version, PackageURL: c.PURL, Hashes: sha256(c.SHA256),
		Properties: properties("lamina:path", c.Path, "lamina:file", c.File, "lamina:size", size(c.Size)),
	}
	if name := strings.TrimPrefix(c.License, "LicenseRef-"); name != c.License && !strings.Contains(name, " ") {
		made.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{Name: strings.ReplaceAll(name, "-", " ")}}}
	} else if c.License != "" {
		made.Licenses = &cyclonedx.Licenses{{Expression: c.License}}
	}
	if c.URL != "" {
		made.ExternalReferences = &[]cyclonedx.ExternalReference{{Type: cyclonedx.ERTypeDistribution, URL: c.URL}}
	}
	if len(c.Parts) > 0 {
		parts := make([]cyclonedx.Component, len(c.Parts))
		for i, p := range c.Parts {
			parts[i] = cyclonedxComponent(p, ref+"-"+strconv.Itoa(i))
		}
		made.Components = &parts
	}
	return made
}

// types returns the CycloneDX types of components.
func types() map[Kind]cyclonedx.ComponentType {
	return map[Kind]cyclonedx.ComponentType{
		Debian: cyclonedx.ComponentTypeLibrary, Python: cyclonedx.ComponentTypeLibrary, Git: cyclonedx.ComponentTypeLibrary,
		Source: cyclonedx.ComponentTypeLibrary, App: cyclonedx.ComponentTypeApplication,
		Weights: cyclonedx.ComponentTypeMachineLearningModel, File: cyclonedx.ComponentTypeFile,
	}
}

func sha256(value string) *[]cyclonedx.Hash {
	if _, err := hex.DecodeString(value); err != nil || value == "" {
		return nil
	}
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: value}}
}

func size(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return strconv.FormatInt(bytes, 10)
}

// properties returns keys and values, without empty ones.
func properties(pairs ...string) *[]cyclonedx.Property {
	var list []cyclonedx.Property
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			list = append(list, cyclonedx.Property{Name: pair[0], Value: pair[1]})
		}
	}
	if list == nil {
		return nil
	}
	return &list
}
