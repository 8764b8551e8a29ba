// Package registry puts blobs that are too large to hold into one repository
// of a registry: layers of weights, 11 GB each, from a stream that is read once. Of
// what is there it reads manifests, small blobs and stretches of large ones.
//
// It speaks the OCI distribution API
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md) and
// leaves logins to go-containerregistry. What it does itself is the upload,
// because no client at hand goes on with one that another process began:
//
//	r, err := registry.Open(ctx, "ghcr.io/acme/model", registry.Options{})
//	u, err := r.Start(ctx)          // or r.Resume(ctx, location)
//	for … { err = u.Send(ctx, chunk) }
//	err = u.Commit(ctx, digest)
//
// An upload lives in the registry. Its location is all that a publisher has to
// remember: one that was killed asks how far it came, and goes on from there.
//
// Registries differ in what they take, so there are three ways to send:
//
//   - [Upload.Send], in chunks. A chunk that breaks off is sent again from where
//     the registry is, and too large a chunk in smaller pieces.
//   - [Upload.Stream], one request for all, when [ErrNoChunks] says so.
//   - [Repository.Whole], the same with the digest known beforehand.
//
// [Limits.Check] holds a layer against the published limits of a registry before a
// byte is sent. How requests are made, again and past what breaks, is the package
// fetch's. An error that another run may not meet has the kind
// [failure.Transient], a refused login [failure.Usage].
package registry
