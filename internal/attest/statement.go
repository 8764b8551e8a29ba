// Package attest makes claims about an image, as in-toto statements: how it was built, as
// SLSA provenance, and that a rebuild gave the same result.
package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// StatementType is the media type of a statement.
const StatementType = "application/vnd.in-toto+json"

const statementV1 = "https://in-toto.io/Statement/v1"

// The types of predicates.
const (
	ProvenanceV1   = "https://slsa.dev/provenance/v1"
	VerificationV1 = "https://slsa.dev/verification_summary/v1"
	SignatureV1    = "https://sigstore.dev/cosign/sign/v1" // used by cosign for signatures of images
)

// PredicateAnnotation names an artifact's kind of statement, as in BuildKit.
const PredicateAnnotation = "in-toto.io/predicate-type"

// Statement is a claim about an image:
// https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Resource      `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// Resource is an artifact:
// https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/resource_descriptor.md
type Resource struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"` // hexadecimal, by algorithm: "sha256", "gitCommit"
	MediaType   string            `json:"mediaType,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// Of returns a resource with a digest.
func Of(name, uri string, d digest.Digest) Resource {
	return Resource{Name: name, URI: uri, Digest: map[string]string{d.Algorithm().String(): d.Encoded()}}
}

// Signature returns a statement that claims nothing about an image except being signed.
func Signature(image digest.Digest) []byte {
	text, _ := write(subjects(image), SignatureV1, struct{}{}) // only strings
	return text
}

// subjects returns what a statement is about, each once.
func subjects(top digest.Digest, further ...digest.Digest) []Resource {
	list := []Resource{Of("", "", top)}
	for _, d := range further {
		if d != top {
			list = append(list, Of("", "", d))
		}
	}
	return list
}

// write returns the same text for the same claim.
func write(about []Resource, kind string, predicate any) ([]byte, error) {
	inner, err := marshal(predicate)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", kind, err)
	}
	return marshal(Statement{Type: statementV1, Subject: about, PredicateType: kind, Predicate: inner})
}

// marshal doesn't escape the & of URLs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Parse reads a statement.
func Parse(text []byte) (s Statement, err error) {
	if err = json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading an in-toto statement: %w", err)
	}
	if s.Type != statementV1 {
		return s, fmt.Errorf("%q is not a supported type of in-toto statement", s.Type)
	}
	return s, nil
}

// Names reports whether a statement is about an image.
func (s Statement) Names(image digest.Digest) bool {
	for _, r := range s.Subject {
		if r.Digest[image.Algorithm().String()] == image.Encoded() {
			return true
		}
	}
	return false
}

// Byproducts returns the documents that a provenance names, by digest; nil for another statement.
func (s Statement) Byproducts() (map[digest.Digest]bool, error) {
	if s.PredicateType != ProvenanceV1 {
		return nil, nil
	}
	var p provenance
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return nil, errors.New("the provenance is not of SLSA version 1")
	}
	named := map[digest.Digest]bool{}
	for _, r := range p.RunDetails.Byproducts {
		named[digest.NewDigestFromEncoded(digest.SHA256, r.Digest["sha256"])] = true
	}
	return named, nil
}
