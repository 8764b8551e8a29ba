package testworld

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

type storedManifest struct {
	mediaType string
	data      []byte
}

// manifestBody has the fields of both an image and an index.
type manifestBody struct {
	MediaType string               `json:"mediaType"`
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Manifests []ocispec.Descriptor `json:"manifests"`
	Subject   *ocispec.Descriptor  `json:"subject"`

	ArtifactType string            `json:"artifactType"`
	Annotations  map[string]string `json:"annotations"`
}

// Manifest returns what a tag or a digest names, nil if it names nothing.
func (r *Registry) Manifest(repo, reference string) []byte {
	m, _, _ := r.manifest(repo, reference)
	return m.data
}

// ImageManifest returns the manifest of an image that a tag or a digest names; of an index, its
// first image.
func (r *Registry) ImageManifest(repo, reference string) []byte {
	data := r.Manifest(repo, reference)
	var index struct {
		Manifests []struct{ Digest digest.Digest }
	}
	if json.Unmarshal(data, &index) == nil && len(index.Manifests) > 0 {
		return r.Manifest(repo, index.Manifests[0].Digest.String())
	}
	return data
}

func (r *Registry) manifest(repo, reference string) (storedManifest, digest.Digest, bool) {
	r.content.Lock()
	defer r.content.Unlock()
	found, ok := r.repos[repo]
	if !ok {
		return storedManifest{}, "", false
	}
	d, tagged := found.tags[reference]
	if !tagged {
		d = digest.Digest(reference)
	}
	m, ok := found.manifests[d]
	return m, d, ok
}

func (r *Registry) serveManifest(rw http.ResponseWriter, req *http.Request, repo, reference string) {
	if req.Method == http.MethodPut {
		r.putManifest(rw, req, repo, reference)
		return
	}
	m, d, ok := r.manifest(repo, reference)
	switch {
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		refuse(rw, http.StatusMethodNotAllowed, "UNSUPPORTED", "manifests stay")
	case !ok:
		refuse(rw, http.StatusNotFound, "MANIFEST_UNKNOWN", "there is no such manifest")
	default:
		rw.Header().Set("Content-Type", m.mediaType)
		rw.Header().Set("Content-Length", strconv.Itoa(len(m.data)))
		rw.Header().Set("Docker-Content-Digest", d.String())
		if r.opts.ETags {
			rw.Header().Set("ETag", strconv.Quote(d.String()))
		}
		if req.Method == http.MethodGet {
			_, _ = rw.Write(m.data)
		}
	}
}

func (r *Registry) putManifest(rw http.ResponseWriter, req *http.Request, repo, reference string) {
	data, err := io.ReadAll(io.LimitReader(req.Body, kept+1))
	var body manifestBody
	if err != nil || json.Unmarshal(data, &body) != nil {
		refuse(rw, http.StatusBadRequest, "MANIFEST_INVALID", "that is no manifest")
		return
	}
	mediaType, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || body.MediaType != "" && body.MediaType != mediaType {
		refuse(rw, http.StatusBadRequest, "MANIFEST_INVALID", "the media type isn't that of the request")
		return
	}
	d := digest.FromBytes(data)
	if want := digest.Digest(reference); want.Validate() == nil && want != d {
		refuse(rw, http.StatusBadRequest, "DIGEST_INVALID", "the manifest has another digest")
		return
	}
	if missing := r.missing(repo, body); missing != "" {
		refuse(rw, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "there is no "+missing.String())
		return
	}
	if !r.storeManifest(repo, reference, d, storedManifest{mediaType, data}, req.Header) {
		refuse(rw, http.StatusPreconditionFailed, "MANIFEST_INVALID", "it is another one by now")
		return
	}
	if body.Subject != nil && r.opts.Referrers {
		rw.Header().Set("OCI-Subject", body.Subject.Digest.String())
	}
	rw.Header().Set("Location", "/v2/"+repo+"/manifests/"+d.String())
	rw.Header().Set("Docker-Content-Digest", d.String())
	rw.WriteHeader(http.StatusCreated)
}

// missing returns the first blob or manifest that a manifest names and the repository lacks. The
// spec lets a registry check that, and this one does.
func (r *Registry) missing(repo string, body manifestBody) digest.Digest {
	r.content.Lock()
	defer r.content.Unlock()
	has := r.repo(repo)
	blobs := body.Layers
	if body.Config != nil {
		blobs = append([]ocispec.Descriptor{*body.Config}, blobs...)
	}
	for _, blob := range blobs {
		if !has.blobs[blob.Digest] {
			return blob.Digest
		}
	}
	for _, m := range body.Manifests {
		if _, ok := has.manifests[m.Digest]; !ok {
			return m.Digest
		}
	}
	return ""
}

func (r *Registry) storeManifest(repo, reference string, d digest.Digest, m storedManifest, h http.Header) bool {
	r.content.Lock()
	defer r.content.Unlock()
	has := r.repo(repo)
	old, tagged := has.tags[reference]
	match := h.Get("If-Match")
	if r.opts.ETags && (match != "" && match != strconv.Quote(old.String()) || tagged && h.Get("If-None-Match") == "*") {
		return false
	}
	has.manifests[d] = m
	if digest.Digest(reference).Validate() != nil {
		has.tags[reference] = d
	}
	return true
}

func (r *Registry) serveTags(rw http.ResponseWriter, repo string) {
	r.content.Lock()
	found, ok := r.repos[repo]
	var tags []string
	if ok {
		tags = slices.Sorted(maps.Keys(found.tags))
	}
	r.content.Unlock()
	if !ok {
		refuse(rw, http.StatusNotFound, "NAME_UNKNOWN", "there is no such repository")
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{"name": repo, "tags": tags})
}

// serveReferrers lists the manifests whose subject has a digest, see
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers.
func (r *Registry) serveReferrers(rw http.ResponseWriter, req *http.Request, repo, id string) {
	r.content.Lock()
	defer r.content.Unlock()
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	index.SchemaVersion = 2
	for d, m := range r.repo(repo).manifests {
		var body manifestBody
		if json.Unmarshal(m.data, &body) == nil && body.Subject != nil && body.Subject.Digest.String() == id {
			index.Manifests = append(index.Manifests, ocispec.Descriptor{
				MediaType: m.mediaType, Digest: d, Size: int64(len(m.data)), ArtifactType: body.ArtifactType, Annotations: body.Annotations,
			})
		}
	}
	slices.SortFunc(index.Manifests, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	if n, last := r.opts.ReferrersPage, req.URL.Query().Get("last"); n > 0 {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.Digest.String() <= last })
		if len(index.Manifests) > n {
			index.Manifests = index.Manifests[:n]
			rw.Header().Set("Link", fmt.Sprintf("<%s?last=%s>; rel=\"next\"", req.URL.Path, url.QueryEscape(index.Manifests[n-1].Digest.String())))
		}
	}
	rw.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_ = json.NewEncoder(rw).Encode(index)
}
