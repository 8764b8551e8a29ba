// Package registry uploads blobs that are too large to hold in memory to one repository
// of a registry: layers of weights, 11 GB each, from a stream that is read once. It
// also reads manifests, small blobs and ranges of large ones.
//
// It implements the OCI distribution API
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md) and
// leaves logins to go-containerregistry. It has its own upload because no available
// client resumes one that another process began:
//
//	r, err := registry.Open(ctx, "ghcr.io/acme/model", registry.Options{})
//	u, err := r.Start(ctx)          // or r.Resume(ctx, location)
//	for … { err = u.Send(ctx, chunk) }
//	err = u.Commit(ctx, digest)
//
// The registry keeps the state of an upload. A publisher has to remember only its
// location: after being killed it asks how far the upload got, and resumes there.
//
// Registries differ in what they accept, so there are three ways to send:
//
//   - [Upload.Send], in chunks. An interrupted chunk is sent again from where the
//     registry is, and one that is too large in smaller pieces.
//   - [Upload.Stream], in one request, after [ErrNoChunks].
//   - [Repository.Whole], the same with the digest known beforehand.
//
// [Limits.Check] compares a layer with the published limits of a registry before a
// byte is sent. Package fetch makes the requests and retries them. An error that
// another run may not meet has the kind [failure.Transient], a refused login
// [failure.Usage].
package registry
