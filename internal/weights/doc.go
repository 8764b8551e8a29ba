// Package weights moves the files of a locked model from where they are to
// where images are: as layers, without a file on disk in between, and as fast
// as the slower side goes.
//
// # How it goes
//
//	plan    the tar of each layer, but for the files' content   (layer.go, layers.Outlines)
//	fetch   the next chunks of it, side by side, into buffers   (stream.go)
//	hash    chunk by chunk in order: the layer and its files    (hash.go)
//	send    what was hashed, to a registry or a file            (flow.go, upload.go, partial.go)
//	commit  the layer, once each file is what the lock says     (push.go, pull.go)
//	name    all layers by a manifest, the last thing to come    (image.go)
//
// Buffers bound the memory: all layers take theirs from one pool, each in the
// order of its bytes, so whoever holds one can always go on.
//
// # What a cut costs
//
// A [Push] writes down where each upload is and what was hashed of it
// (journal.go). The next one, of another process too, asks the registry how far
// it came and sends the rest; at most a chunk is fetched a second time, for the
// hash alone. A [Pull] goes on from the files that the last one left.
package weights
