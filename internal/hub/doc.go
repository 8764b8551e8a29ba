// Package hub reads models: from a Hugging Face hub, or from a list of files
// with their hashes on any web server.
//
//	which files a commit or a list has         (tree.go, list.go)
//	which of them are selected, and their hash (lock.go)
//	where one is, and valid paths              (address.go)
//	a range of one, with retries               (open.go)
//	why one isn't available                    (send.go, refusal.go)
//
// Package fetch makes the requests and retries them.
//
// The protocol is that of huggingface_hub
// (https://github.com/huggingface/huggingface_hub at ee0a4510): JSON from
// /api/models/, and files from /ORG/NAME/resolve/COMMIT/PATH, which redirects to
// another host for large files. The token is sent only to the host of the endpoint
// (client.go), whatever the redirects.
//
// The hub is not trusted: paths are checked, pages counted, small files compared with
// their git hashes, and sizes with the lock. The hashes of large files are the hub's
// when they are locked, and fixed from then on.
package hub
