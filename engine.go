package lamina

import (
	"context"

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
func OpenEngine(ctx context.Context, o Options) (*Engine, error) { return openEngine(ctx, o, false) }

// FindEngine is [OpenEngine], except that it compiles none: it is for who looks at what an
// engine has.
func FindEngine(ctx context.Context, o Options) (*Engine, error) { return openEngine(ctx, o, true) }

func openEngine(ctx context.Context, o Options, compiled bool) (*Engine, error) {
	h, err := openHost(o)
	if err != nil {
		return nil, err
	}
	options := h.engineOptions(engine.Need{})
	options.Compiled = compiled
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
