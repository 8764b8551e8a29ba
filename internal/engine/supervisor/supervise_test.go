//go:build linux

package main

import (
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An engine that still waits for a killed predecessor obeys a request to end.
func TestARequestToEndDuringTheStartIsKept(t *testing.T) {
	dir := t.TempDir()
	c := config{state: dir, root: filepath.Join(dir, "root"), socket: filepath.Join(dir, "run", "engine.sock"), config: filepath.Join(dir, "none"), uids: "0 1 1"}
	if err := os.Mkdir(c.root, 0o700); err != nil {
		t.Fatal(err)
	}
	predecessor, err := takeLock(filepath.Join(c.root, "buildkitd.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer predecessor.Close()
	ended := make(chan error)
	go func() { ended <- supervise(c, nil, log.New(io.Discard, "", 0)) }()
	for deadline := time.Now().Add(5 * time.Second); !exists(c.path("alive")) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // it waits
	if err = os.WriteFile(c.path("stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err = predecessor.Close(); err != nil {
		t.Fatal(err)
	}
	if err = <-ended; !errors.Is(err, os.ErrNotExist) { // there is no configuration
		t.Errorf("got %v", err)
	}
	if !exists(c.path("stop")) {
		t.Error("the request is forgotten")
	}
}
