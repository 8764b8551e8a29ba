// Package llb holds the words that the stages speak: fetch by digest, run
// without a network, assemble Debian packages, install a wheel, take one clean
// layer, merge.
//
// A word is named for what it adds, takes plain values and returns a [State]
// or a step of one. It never fails and does nothing: inputs are validated
// before a graph is built, and buildkitd does the work when the graph is
// solved. BuildKit's own package of this name is imported as bkllb.
package llb

import (
	"time"

	bkllb "github.com/moby/buildkit/client/llb"
)

// State is a BuildKit LLB state.
type State = bkllb.State

// Epoch is the modification time of every file in every layer and the
// SOURCE_DATE_EPOCH of every exec, in Unix seconds: 1980-01-01T00:00:00Z, the
// oldest date that a zip archive, and so a Python wheel, can hold. It is a
// constant so that nothing but content can move a layer's digest.
const Epoch = 315532800

// StoreID names the client's content store of packed layers in a solve.
const StoreID = "lamina"

// ModelStoreID names the store of models that were pulled into a layout.
const ModelStoreID = "lamina-models"

// EpochTime returns [Epoch] as a time.
func EpochTime() time.Time { return time.Unix(Epoch, 0).UTC() }
