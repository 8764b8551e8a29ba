package lamina

import (
	"context"
	"errors"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
)

// Engine is a buildkitd that passed the preflight: it is new enough and able to build.
type Engine struct {
	Address  string // in BuildKit's form: "unix:///run/buildkit/buildkitd.sock"
	Version  string // as it reports it: "v0.34.2"
	Promised bool   // whether digests are promised for that version; with others they may differ

	engine *engine.Engine
}

// OpenEngine finds or starts the engine of the options, as a build does. The caller
// closes it. A missing engine is an error of the kind [NoEngine].
func OpenEngine(ctx context.Context, o Options) (*Engine, error) {
	return openEngine(ctx, o, engine.Options{})
}

// FindEngine is like [OpenEngine] but never compiles an engine: it is for inspecting what
// an engine has.
func FindEngine(ctx context.Context, o Options) (*Engine, error) {
	return openEngine(ctx, o, engine.Options{Compiled: true})
}

// PruneEngine removes unused content from the cache of such an engine, except for keep
// bytes. all includes what BuildKit keeps for itself. It works on a full disk, too.
func PruneEngine(ctx context.Context, o Options, keep int64, all bool) (freed int64, records int, err error) {
	e, err := openEngine(ctx, o, engine.Options{Compiled: true, Room: true})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	freed, err = engine.Prune(ctx, e.Client(), engine.PruneOptions{All: all, KeepStorage: keep}, func(client.UsageInfo) { records++ })
	return freed, records, err
}

func openEngine(ctx context.Context, o Options, how engine.Options) (*Engine, error) {
	h, err := openHost(o)
	if err != nil {
		return nil, err
	}
	options := h.engineOptions(engine.Need{})
	options.Compiled, options.Room = how.Compiled, how.Room
	e, err := engine.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	return &Engine{Address: e.Addr, Version: e.Version, Promised: e.Same, engine: e}, nil
}

// Client is the connection to the engine, which is closed with it.
func (e *Engine) Client() *client.Client { return e.engine.Client() }

// Close ends the connection. Our own engine ends with its last one, unless
// [StartEngine] keeps it up.
func (e *Engine) Close() error { return e.engine.Close() }

// StartEngine starts our own engine if it doesn't run, whatever engine the options name,
// and keeps it up between builds.
func StartEngine(ctx context.Context, o Options) error {
	h, err := openHost(o)
	if err != nil {
		return err
	}
	_, err = engine.Start(ctx, h.engineOptions(engine.Need{}))
	return err
}

// StopEngine stops our own engine and returns when it has ended; ended is false if there
// was none. While builds run it returns an error, unless force is set: then they fail.
func StopEngine(ctx context.Context, o Options, force bool) (ended bool, err error) {
	h, err := openHost(o)
	if err != nil {
		return false, err
	}
	return engine.Stop(ctx, h.engineOptions(engine.Need{}), force)
}
