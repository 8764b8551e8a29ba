package weights

// State is what becomes of a layer.
type State int

// The states of a layer. Only the first two pass.
const (
	Waiting State = iota // its turn hasn't come
	Moving               // its bytes flow
	Present              // it was there already
	Mounted              // the registry took it from another of its repositories
	Done                 // all its bytes were moved and are the right ones
	Failed               // it ended with an error, which comes back at the end
)

// Event is how far a layer is.
type Event struct {
	Layer int    // in [Job.Layers]
	Name  string // of the layer
	State State
	From  int64 // bytes that an earlier run has moved
	Bytes int64 // that are where they shall be, those of earlier runs too
	Total int64
}

// Progress is told how far a layer is: all layers at first as [Waiting], each
// one after every chunk, and as it ends. Several goroutines call it, but never
// two for one layer. It should return soon.
type Progress func(Event)
