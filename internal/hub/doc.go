// Package hub reads models: from a Hugging Face hub, or from a list of files
// with their hashes on any web server.
//
//	which commit a branch, a tag or a commit is   (commit.go)
//	which files it has                            (tree.go, paths.go; list.go)
//	which of them are wanted                      (match.go)
//	what the small ones hash to                   (lock.go)
//	a range of one, once and with patience        (open.go, span.go)
//	why one can't be had                          (refusal.go, diagnose.go)
//
// How a request is made, again and past what breaks, is the package fetch's.
//
// The protocol is the one that huggingface_hub speaks
// (https://github.com/huggingface/huggingface_hub at ee0a4510): JSON from
// /api/models/, and files from /ORG/NAME/resolve/COMMIT/PATH, which leads to
// a host of its own for what is large. The token goes to the host of the
// endpoint alone (token.go), whatever leads elsewhere.
//
// What a hub says is not trusted: paths are checked, pages counted, small
// files held against their git hashes, sizes against what was locked. Hashes
// of large files are what the hub says when they are locked, and hold from
// then on.
package hub
