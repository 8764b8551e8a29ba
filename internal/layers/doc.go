// Package layers turns local trees into deterministic OCI layers in a content
// store, so that a graph refers to them by digest.
//
// A layer is a function only of names, contents, executable bits and link targets:
// entries have the order of a sorted walk, every time is the epoch, every owner is
// 0:0, and modes are 0755 or 0644. The tar is byte for byte the one that BuildKit
// writes for the same files, so it doesn't matter which of the two made a layer. Each
// layer is wrapped as an image of that one layer, which is what a graph can name.
//
// # Steps
//
//	select   which entries of the tree to include     (selection.go, links.go)
//	measure  write the tar into hashes only           (blob.go)
//	write    the same again, into the store           (blob.go)
//
// What the store has is not written again: packing an unchanged tree reads it and
// writes nothing. The second pass must give the digests of the first, so a tree that
// changes while it is packed is an error and never a layer that mixes two states. The
// price is that a new tree is read twice.
//
// # What a Merge would break
//
// Merge stacks layers unchanged. A directory entry of an upper layer replaces the
// metadata of the one below, so a layer with tmp/x changes /tmp from 1777 to 0755; and
// a real directory /lib replaces the link that a merged-usr Debian has there, after
// which nothing runs any more. [Check] refuses that, naming the path and the layers.
package layers
