package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/referrer"
)

// Attach uploads documents about an image of the repository, which need not exist yet, their blobs
// in parallel, and returns their artifacts. If the registry has no API for referrers, it updates
// the tag that lists them, as of
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject.
func (r *Repository) Attach(ctx context.Context, subject ocispec.Descriptor, documents ...referrer.Attachment) (made []ocispec.Descriptor, err error) {
	group, sending := errgroup.WithContext(ctx)
	send := func(data []byte) {
		group.Go(func() error {
			_, problem := r.PutBlob(sending, data)
			return problem
		})
	}
	if len(documents) > 0 {
		send(ocispec.DescriptorEmptyJSON.Data)
	}
	for _, a := range documents {
		send(a.Data)
	}
	if err = group.Wait(); err != nil {
		return nil, err
	}
	var unlisted []ocispec.Descriptor
	for _, a := range documents {
		desc, data, err := a.Manifest(subject)
		if err != nil {
			return nil, err
		}
		answer, err := r.putManifest(ctx, desc.Digest.String(), desc.MediaType, data, nil)
		if err != nil {
			return nil, err
		}
		if made = append(made, desc); answer.header.Get("OCI-Subject") == "" {
			unlisted = append(unlisted, desc)
		}
	}
	if len(unlisted) == 0 {
		return made, nil
	}
	return made, r.list(ctx, subject.Digest, unlisted)
}

// listings limits the attempts at writing a list of referrers that others write, too.
const listings = 20

// list adds artifacts to the tag that lists referrers. Others may write it at the same
// time: a registry with ETags refuses the later write; without them, it is read and
// written again until it has all of them.
func (r *Repository) list(ctx context.Context, subject digest.Digest, artifacts []ocispec.Descriptor) error {
	for range listings {
		list, etag, err := r.listed(ctx, subject)
		if err != nil {
			return err
		}
		missing := slices.DeleteFunc(slices.Clone(artifacts), func(d ocispec.Descriptor) bool {
			return slices.ContainsFunc(list, func(have ocispec.Descriptor) bool { return have.Digest == d.Digest })
		})
		if len(missing) == 0 {
			return nil
		}
		data, err := referrer.Index(list, missing...)
		if err != nil {
			return err
		}
		header := http.Header{}
		if etag != "" {
			header.Set("If-Match", etag)
		} else if list == nil { // no list yet
			header.Set("If-None-Match", "*")
		}
		_, err = r.putManifest(ctx, referrer.Tag(subject), ocispec.MediaTypeImageIndex, data, header)
		if status, ok := errors.AsType[*StatusError](err); err != nil && (!ok || status.Code != http.StatusPreconditionFailed) {
			return err
		}
	}
	return failure.New(failure.Transient, fmt.Errorf("listing the referrers of %s in %q: others keep changing the list", subject, r.Name()))
}

// Referrers lists the artifacts that refer to a manifest of the repository.
func (r *Repository) Referrers(ctx context.Context, subject digest.Digest) ([]ocispec.Descriptor, error) {
	first := r.url("/referrers/" + subject.String())
	var list []ocispec.Descriptor
	seen := map[string]bool{}
	for address := first; address != ""; {
		seen[address] = true
		q := request{method: http.MethodGet, url: address, header: http.Header{"Accept": {ocispec.MediaTypeImageIndex}}}
		// Registries without this API refuse in several ways.
		a, err := r.try(ctx, q, http.StatusOK, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented)
		if err != nil {
			return nil, fmt.Errorf("listing the referrers of %s: %w", subject, err)
		}
		var index ocispec.Index
		isList := a.code == http.StatusOK && json.Unmarshal(a.data, &index) == nil && index.MediaType == ocispec.MediaTypeImageIndex
		switch {
		case !isList && address == first:
			list, _, err = r.listed(ctx, subject)
			return list, err
		case !isList:
			return nil, fmt.Errorf("listing the referrers of %s: a later page is not a list", subject)
		}
		list = append(list, index.Manifests...)
		address, err = nextPage(address, a.header)
		if err == nil && (seen[address] || len(seen) > mostPages) {
			err = errors.New("the list does not end")
		}
		if err != nil {
			return nil, fmt.Errorf("listing the referrers of %s: %w", subject, err)
		}
	}
	slices.SortStableFunc(list, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	list = slices.CompactFunc(list, func(a, b ocispec.Descriptor) bool { return a.Digest == b.Digest }) // it may have grown between pages
	return r.typed(ctx, list)
}

// mostPages is the maximum number of pages of a list.
const mostPages = 1000

// nextPage returns the address of the page after this one, "" after the last. It must be
// on the registry, whose login goes with the request.
func nextPage(address string, h http.Header) (string, error) {
	target, found := fetch.NextLink(h)
	if !found {
		return "", nil
	}
	at, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	next, err := at.Parse(target)
	if err != nil || next.Host != at.Host || next.Scheme != at.Scheme {
		return "", errors.New("its next page is on another server")
	}
	return next.String(), nil
}

// typed completes artifact types, which some registries take from an artifact's config only.
func (r *Repository) typed(ctx context.Context, list []ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	for i, d := range list {
		if d.ArtifactType != "" && d.ArtifactType != ocispec.MediaTypeEmptyJSON {
			continue
		}
		_, data, err := r.Manifest(ctx, d.Digest.String())
		var m ocispec.Manifest
		if err == nil {
			err = json.Unmarshal(data, &m)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the referrers of an image: %w", err)
		}
		list[i].ArtifactType = m.ArtifactType
	}
	return list, nil
}

// listed reads the tag that lists referrers, and its ETag; nil if there is none.
func (r *Repository) listed(ctx context.Context, subject digest.Digest) (list []ocispec.Descriptor, etag string, err error) {
	_, a, err := r.manifest(ctx, referrer.Tag(subject)) // a mirror may have an old one
	if errors.Is(err, ErrNotFound) {
		return nil, "", nil
	}
	var index ocispec.Index
	if err == nil {
		err = json.Unmarshal(a.data, &index)
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading the referrers of %s: %w", subject, err)
	}
	return append([]ocispec.Descriptor{}, index.Manifests...), a.header.Get("ETag"), nil
}

// Document reads the document of an artifact that [Repository.Referrers] lists.
func (r *Repository) Document(ctx context.Context, artifact ocispec.Descriptor) ([]byte, error) {
	_, manifest, err := r.Manifest(ctx, artifact.Digest.String())
	if err != nil {
		return nil, err
	}
	blob, err := referrer.Document(manifest)
	if err != nil {
		return nil, err
	}
	if blob.Size > maxAnswer {
		return nil, fmt.Errorf("%w: %d bytes are too many", referrer.ErrUnreadable, blob.Size)
	}
	return r.ReadBlob(ctx, blob.Digest)
}
