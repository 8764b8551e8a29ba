package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/beside"
	"lamina.build/internal/rehearsal"
)

// rehearsalsDir is the folder of the cache folder with what rehearsals remember, and
// what they make.
const rehearsalsDir = "rehearsals"

// memory is the lock of an earlier rehearsal of the same example by the same
// program, and where its world listened. A world at the same address has the same
// files under the same names, so that nothing has to be resolved again: that is most
// of what a rehearsal takes when all else is cached.
type memory struct {
	path    string // of a file: a line with the address, then the lock
	address string // "" where nothing is remembered, or somebody listens there now
	lock    []byte
}

// remembered is how long a lock is good: mirrors drop old versions of packages.
const remembered = 3 * 24 * time.Hour

// recall finds what is remembered of the example in a folder.
func (a *app) recall(dir string) (*memory, error) {
	cache, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	key, err := rehearsalKey(dir)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", dir, err)
	}
	m := &memory{path: filepath.Join(cache, rehearsalsDir, key+".lock")}
	info, err := os.Stat(m.path) //nolint:gosec // in our own cache
	if err != nil || time.Since(info.ModTime()) > remembered {
		return m, nil //nolint:nilerr // nothing is remembered
	}
	text, err := os.ReadFile(m.path) //nolint:gosec // in our own cache
	address, lock, ok := bytes.Cut(text, []byte("\n"))
	if err == nil && ok && isFree(string(address)) {
		m.address, m.lock = string(address), lock
	}
	return m, err
}

// rehearsalKey names an example and the program, which has all that stands in for
// the internet in it.
func rehearsalKey(dir string) (string, error) {
	files, err := filesDigest(rehearsal.Example(os.DirFS(dir)))
	if err != nil {
		return "", err
	}
	program, err := programDigest()
	return digest.FromString(files.String() + program.String()).Encoded()[:16], err
}

func programDigest() (digest.Digest, error) {
	f, err := os.Open("/proc/self/exe") // also of a program that was replaced meanwhile
	if err != nil {
		return "", err
	}
	d := digest.Canonical.Digester()
	_, err = io.Copy(d.Hash(), f)
	return d.Digest(), errors.Join(err, f.Close())
}

func isFree(address string) bool {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// restore puts the lock into a project, if there is one for it.
func (m *memory) restore(project string) error {
	if m.lock == nil {
		return nil
	}
	return beside.Write(filepath.Join(project, lockName), m.lock)
}

// forget takes the lock away again. It says whether there was one: then another
// attempt may do better.
func (m *memory) forget(project string) bool {
	if m.lock == nil {
		return false
	}
	m.lock = nil
	return errors.Join(os.Remove(m.path), os.Remove(filepath.Join(project, lockName))) == nil
}

// save remembers a project's lock, and forgets those that are too old.
func (m *memory) save(address, project string) error {
	lock, err := os.ReadFile(filepath.Join(project, lockName)) //nolint:gosec // it was just written
	if err != nil {
		return err
	}
	all, err := filepath.Glob(filepath.Join(filepath.Dir(m.path), "*.lock"))
	for _, other := range all {
		if info, statErr := os.Stat(other); statErr == nil && time.Since(info.ModTime()) > remembered {
			err = errors.Join(err, os.Remove(other))
		}
	}
	return errors.Join(err, beside.Write(m.path, append([]byte(address+"\n"), lock...)))
}
