package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/beside"
	"lamina.build/internal/rehearsal"
)

// rehearsalsDir is the folder of the cache folder with what rehearsals remember.
const rehearsalsDir = "rehearsals"

// memory is the lock of an earlier rehearsal of the same example by the same
// program, and where its world listened. A world at the same address has the same
// files under the same names, so that nothing has to be resolved again: that is most
// of what a rehearsal takes when all else is cached.
type memory struct {
	dir     string // with the two files below; it may not be there
	address string // "" where nothing is remembered, or somebody listens there now
}

const addressName = "address"

// recall finds what is remembered of the example in a folder.
func (a *app) recall(dir string) (memory, error) {
	cache, err := a.cacheDir()
	if err != nil {
		return memory{}, err
	}
	key, err := rehearsalKey(dir)
	if err != nil {
		return memory{}, fmt.Errorf("reading %q: %w", dir, err)
	}
	m := memory{dir: filepath.Join(cache, rehearsalsDir, key)}
	address, err := os.ReadFile(filepath.Join(m.dir, addressName))
	if err == nil && isFree(strings.TrimSpace(string(address))) {
		m.address = strings.TrimSpace(string(address))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
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
func (m memory) restore(project string) error {
	text, err := os.ReadFile(filepath.Join(m.dir, lockName))
	if m.address == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(project, lockName), text, 0o644) //nolint:gosec // as every lock
}

// save remembers a project's lock, and forgets those of other examples and programs.
func (m memory) save(address, project string) error {
	others, err := filepath.Glob(filepath.Join(filepath.Dir(m.dir), "*"))
	if err != nil {
		return err
	}
	for _, other := range others {
		if other != m.dir {
			err = errors.Join(err, os.RemoveAll(other))
		}
	}
	text, readErr := os.ReadFile(filepath.Join(project, lockName)) //nolint:gosec // it was just written
	err = errors.Join(err, readErr, os.MkdirAll(m.dir, 0o755))     //nolint:gosec // no secrets
	if err != nil {
		return err
	}
	return errors.Join(beside.Write(filepath.Join(m.dir, lockName), text), beside.Write(filepath.Join(m.dir, addressName), []byte(address+"\n")))
}
