package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/cache"
	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/fault"
	"lamina.build/internal/layout/blobstore"
	"lamina.build/internal/prepare"
	"lamina.build/internal/python"
	"lamina.build/internal/requirements"
	"lamina.build/internal/spec"
	"lamina.build/lock"
	"lamina.build/stages"
)

// resolvePython finds the distributions that answer the spec. pip runs in the
// builder, which the Debian half of the lock describes.
func (a *app) resolvePython(
	ctx context.Context, p *project, requests []python.Request, e *engine.Engine, mirrors debian.Mirrors, o lockOptions, l lock.Lock,
) (locked lock.Lock, err error) {
	if err = hasPython(l); err != nil {
		return lock.Lock{}, err
	}
	in, store, err := a.builder(ctx, p, mirrors, l)
	if err != nil {
		return lock.Lock{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logins, _, err := a.pythonLogins(p)
	if err != nil {
		return lock.Lock{}, err
	}
	trusted, err := a.trusted(systemAuthorities())
	if err != nil {
		return lock.Lock{}, err
	}
	for _, r := range requests {
		for _, note := range r.Files.Notes {
			a.ui.note("%s", note)
		}
	}
	a.ui.note("pip resolves %s", setsOf(requests))
	err = python.Resolve(ctx, python.Options{
		Client: e.Client(), Builder: stages.Builder(in), Store: store, Platform: in.Platform,
		Namespace: cache.Namespace{Distribution: l.Suites[0], Platform: l.Platform},
		Project:   p.root.FS(), Requests: requests, Index: o.index, Logins: logins, Proxy: a.proxy(), Trusted: trusted,
		Progress: a.progressOfLock(),
	}, &l)
	return l, err
}

// builder prepares what the builder is drawn from, and the store that holds it.
func (a *app) builder(ctx context.Context, p *project, mirrors debian.Mirrors, l lock.Lock) (stages.Input, *blobstore.Store, error) {
	s, err := p.file.Variant(spec.Production)
	if err != nil {
		return stages.Input{}, nil, err
	}
	dir, err := a.cacheDir()
	if err != nil {
		return stages.Input{}, nil, err
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return stages.Input{}, nil, err
	}
	in, err := prepare.Builder(ctx, prepare.Options{
		Spec: s, Lock: l, Mirrors: debian.Merge(mirrors, further(l)), Store: st,
		Getter: debian.NewGetter(filepath.Join(dir, filesDir)), ToolsDir: filepath.Join(dir, toolsDir),
	})
	if err != nil {
		err = errors.Join(err, st.Close())
	}
	return in, st, err
}

// pythonRequests words the spec's wishes for the resolver, who has to log in
// wherever they say so.
func (p *project) pythonRequests(env func(string) string) ([]python.Request, error) {
	wanted, err := p.file.PythonRequests(p.root.FS(), env)
	if err != nil {
		return nil, err
	}
	var faults []error
	requests := make([]python.Request, len(wanted))
	for i, w := range wanted {
		for _, u := range w.Files.Unset {
			faults = append(faults, u.Err)
		}
		requests[i] = python.Request{
			Set: w.Set, Files: w.Files, Pylock: w.Pylock, BuildRequires: w.BuildRequires,
			Sources: w.Sources, Optional: w.Optional, Collisions: w.Collisions, Prune: w.Prune,
		}
		for _, x := range w.Indexes {
			requests[i].Indexes = append(requests[i].Indexes, python.Index(x))
		}
	}
	err = fault.New(fault.Usage, errors.Join(faults...))
	return requests, fault.WithHint(err, "set it to what the index gave you; locking needs it, a build only for what it has to fetch")
}

// checkIndex refuses an address that is none, or that holds a login: locks name
// the files that an index serves.
func checkIndex(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return "", nil
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", fault.New(fault.Usage, fmt.Errorf("index %q is not a URL that starts with https:// or http://", address))
	case u.User != nil:
		err := fault.New(fault.Usage, fmt.Errorf("index %q holds a login", u.Redacted()))
		return "", fault.WithHint(err, "put it into ~/.netrc")
	}
	return strings.TrimRight(address, "/"), nil
}

// progressOfLock shows the engine's work to somebody who watches: pip may have
// gigabytes to fetch. A log gets the few lines of notes.
func (a *app) progressOfLock() func(context.Context, chan *client.SolveStatus) error {
	if !isTerminal(a.ui.stderr) || a.ui.quiet {
		return nil
	}
	show, err := a.display("tty")
	if err != nil {
		return nil
	}
	return show
}

// hasPython wants a Python in every runtime that Python packages are for.
func hasPython(l lock.Lock) error {
	var faults []error
	for _, r := range l.Python {
		_, variant, _ := strings.Cut(r.Set, "@")
		if _, ok := lock.Find(l.In(lock.SetRuntime, variant), "python3"); !ok {
			err := fmt.Errorf("%s: the image has no Python to run these packages", r.Set)
			faults = append(faults, fault.WithHint(err, "add python3 to [debian] packages"))
		}
	}
	return fault.New(fault.Usage, errors.Join(faults...))
}

func setsOf(requests []python.Request) string {
	names := make([]string, len(requests))
	for i, r := range requests {
		names[i] = r.Set
	}
	return strings.Join(names, ", ")
}

// pythonLogins are those of the file that NETRC names, or of ~/.netrc, which
// pip, git and curl read, too, and over them those of the requirement files,
// which take them from the environment. What is not set there is unset: who has
// all wheels already needs no login.
func (a *app) pythonLogins(p *project) (logins python.Logins, unset []requirements.Unset, err error) {
	path := a.env("NETRC")
	if path == "" {
		path = filepath.Join(a.env("HOME"), ".netrc")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user names the path
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.New(fault.Usage, fmt.Errorf("reading logins: %w", err))
	}
	logins = python.ParseNetrc(data)
	wanted, err := p.file.PythonRequests(p.root.FS(), a.env)
	for _, w := range wanted {
		logins = logins.Merge(w.Files.Logins)
		unset = append(unset, w.Files.Unset...)
	}
	return logins, unset, err
}

// proxy is what the environment says of proxies, as curl and pip read it.
func (a *app) proxy() bkllb.ProxyEnv {
	get := func(name string) string {
		if value := a.env(name); value != "" {
			return value
		}
		return a.env(strings.ToLower(name))
	}
	return bkllb.ProxyEnv{
		HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY"), AllProxy: get("ALL_PROXY"),
	}
}

// systemAuthorities are the places where systems keep the certificates of the
// authorities that they trust: Debian and Alpine, Fedora, SUSE.
func systemAuthorities() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"}
}

// trusted are the certificates of the authorities that this machine trusts, a
// company's own among them: those of the file that SSL_CERT_FILE names, which Go,
// OpenSSL and curl read, too, else those of the first place of the system that there is.
func (a *app) trusted(places []string) ([]byte, error) {
	if path := a.env("SSL_CERT_FILE"); path != "" {
		data, err := os.ReadFile(path) //nolint:gosec // the user names the path
		if err != nil {
			return nil, fault.New(fault.Usage, fmt.Errorf("reading the certificates that SSL_CERT_FILE names: %w", err))
		}
		return data, nil
	}
	for _, path := range places {
		if data, err := os.ReadFile(path); err == nil { //nolint:gosec // a place of the system
			return data, nil
		}
	}
	return nil, nil
}
