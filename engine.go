package lamina

import (
	"context"
	"errors"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
)

// Engine is a buildkitd that passed the preflight: it is new enough, and there are
// builds that it can do.
type Engine struct {
	Address  string // in BuildKit's form: "unix:///run/buildkit/buildkitd.sock"
	Version  string // as it reports it: "v0.34.2"
	Promised bool   // that version is the one that digests are promised for; of others they may differ

	engine *engine.Engine
}

// OpenEngine finds or starts the engine of the options, as a build does. The caller
// closes it. That there is none is an error of the kind [NoEngine].
func OpenEngine(ctx context.Context, o Options) (*Engine, error) {
	return openEngine(ctx, o, engine.Options{})
}

// FindEngine is [OpenEngine], except that it compiles none: it is for who looks at what an
// engine has.
func FindEngine(ctx context.Context, o Options) (*Engine, error) {
	return openEngine(ctx, o, engine.Options{Compiled: true})
}

// PruneEngine removes from the cache of such an engine what no build uses, and spares keep
// bytes of it. all includes what BuildKit keeps for itself. It works on a full disk, too.
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

// Close ends the connection. An engine of our own ends with its last one, unless
// [StartEngine] keeps it up.
func (e *Engine) Close() error { return e.engine.Close() }

// StartEngine starts an engine of our own where there is none, whatever else the options
// name, and keeps it up between builds.
func StartEngine(ctx context.Context, o Options) error {
	h, err := openHost(o)
	if err != nil {
		return err
	}
	_, err = engine.Start(ctx, h.engineOptions(engine.Need{}))
	return err
}

// StopEngine ends our own engine and returns when it is gone; ended is false where there
// was none. While builds run that is an error, unless force is set: they fail.
func StopEngine(ctx context.Context, o Options, force bool) (ended bool, err error) {
	h, err := openHost(o)
	if err != nil {
		return false, err
	}
	return engine.Stop(ctx, h.engineOptions(engine.Need{}), force)
}
