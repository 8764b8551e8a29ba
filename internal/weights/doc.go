// Package weights moves the files of a locked model, as layers, from their source to
// where images are, without a file on disk in between, and as fast as the slower side
// allows.
//
// # Steps
//
//	plan    the tar of each layer, except the files' content    (layer.go, layers.Outlines)
//	fetch   its next chunks, in parallel, into buffers          (stream.go)
//	hash    chunk by chunk in order: the layer and its files    (hash.go)
//	send    the hashed chunks, to a registry or a file          (flow.go, upload.go, partial.go)
//	commit  the layer, once each file matches the lock          (push.go, pull.go)
//	name    all layers by a manifest, last of all               (image.go)
//
// Buffers limit the memory: all layers take theirs from one pool, each in the
// order of its bytes, so a layer that holds one can always proceed.
//
// # Interruptions
//
// A [Push] records the position of each upload and the state of its hash (journal.go).
// The next one, even in another process, asks the registry how far it got and sends the
// rest; it fetches at most one chunk a second time, only to hash it. A [Pull] continues
// the files that the last one left.
package weights
