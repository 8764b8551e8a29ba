package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/util/progress/progressui"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/fault"
	"lamina.build/internal/runc"
	"lamina.build/lock"
)

// openEngine opens the engine and keeps it until the program ends: one that
// the lock was made with is not to stop before the build.
func (a *app) openEngine(ctx context.Context, addr string, need engine.Need) (*engine.Engine, error) {
	o, err := a.engineOptions(addr, need)
	if err != nil {
		return nil, err
	}
	e, err := engine.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	a.engines = append(a.engines, e)
	return e, nil
}

// close lets go of the engines.
func (a *app) close() error {
	faults := make([]error, len(a.engines))
	for i, e := range a.engines {
		faults[i] = e.Close()
	}
	return errors.Join(faults...)
}

// engineOptions are what every use of an engine has in common.
func (a *app) engineOptions(addr string, need engine.Need) (engine.Options, error) {
	dir, err := a.cacheDir()
	if err != nil {
		return engine.Options{}, err
	}
	note := func(line string) { a.ui.note("%s", line) }
	return engine.Options{
		Addr: addr, CacheDir: dir, Env: a.env, Progress: note, Need: need,
		FetchRunc: func(ctx context.Context) (string, error) { return a.fetchRunc(ctx, dir, note) },
	}, nil
}

// fetchRunc gets the one program that our own engine needs beside itself.
func (a *app) fetchRunc(ctx context.Context, dir string, note func(string)) (string, error) {
	mirrors, err := a.mirrors("", "", lock.Lock{})
	if err != nil {
		return "", err
	}
	return runc.Fetch(ctx, runc.Options{
		Mirrors:  debian.Merge(mirrors, debian.Snapshot(time.Now())),
		CacheDir: dir,
		Arch:     runtime.GOARCH,
		Getter:   debian.NewGetter(filepath.Join(dir, filesDir)),
		Progress: note,
	})
}

// display shows the progress of a solve.
func (a *app) display(mode string) (func(context.Context, chan *client.SolveStatus) error, error) {
	d, err := progressui.NewDisplay(a.ui.stderr, progressui.DisplayMode(mode))
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("flag --progress: %s needs a terminal", mode))
	}
	return func(ctx context.Context, status chan *client.SolveStatus) error {
		_, err := d.UpdateFrom(ctx, status)
		return err
	}, nil
}

// logins are those of docker's config and its credential helpers.
func (a *app) logins() session.Attachable {
	file := config.LoadDefaultConfigFile(a.ui.stderr)
	return authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: authprovider.LoadAuthConfig(file),
	})
}
