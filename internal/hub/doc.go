// Package hub reads models: from a Hugging Face hub, or from a list of files
// with their hashes on any web server.
//
//	which files a commit, or a list, has       (tree.go, list.go)
//	which of them are wanted, and their hashes (lock.go)
//	where one is, and what it may be called    (address.go)
//	a range of one, with retries               (open.go)
//	why one can't be had                       (send.go, refusal.go)
//
// How a request is made, again and past what breaks, is the package fetch's.
//
// The protocol is the one that huggingface_hub speaks
// (https://github.com/huggingface/huggingface_hub at ee0a4510): JSON from
// /api/models/, and files from /ORG/NAME/resolve/COMMIT/PATH, which leads to
// a host of its own for what is large. The token goes to the host of the
// endpoint alone (client.go), whatever leads elsewhere.
//
// What a hub says is not trusted: paths are checked, pages counted, small
// files held against their git hashes, sizes against what was locked. Hashes
// of large files are what the hub says when they are locked, and hold from
// then on.
package hub
