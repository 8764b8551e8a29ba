package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lamina.build/internal/atomicfile"
)

// state is the directory of one private engine. The supervisor knows the same
// names (supervisor/lease.go).
type state struct{ dir string }

// The files in a state directory.
const (
	leaseFile  = "lease"           // each client holds a shared lock on it
	aliveFile  = "alive"           // the supervisor holds an exclusive lock on it
	startFile  = "start"           // locked by the client that starts the engine
	keepFile   = "keep"            // exists: the engine outlives its last client
	stopFile   = "stop"            // exists: the engine ends, running builds or not
	statusFile = "engine.json"     // written by the supervisor
	configFile = "buildkitd.toml"  // what buildkitd was started with
	logFile    = "log"             // of supervisor and buildkitd
	rootDir    = "root"            // buildkitd's root, the only thing worth keeping
	socketFile = "run/engine.sock" // in its own directory: buildkitd lets everybody open it
)

// longestSocket is the length of the longest path of a socket, in bytes. 107 is the limit of
// Linux, and below tmp in the same directory buildkitd has sockets with longer names:
// tmp/.buildkit-ssh-sock4294967295/ssh_auth_sock.
const longestSocket = 107 - len("tmp/.buildkit-ssh-sock4294967295/ssh_auth_sock") + len(socketFile)

func (s state) path(name string) string { return filepath.Join(s.dir, name) }

// socket returns the same path in every process that uses the directory. A deep directory
// gets its socket in /run, which only root can write, or in /tmp.
func (s state) socket() string {
	path := s.path(socketFile)
	if len(path) <= longestSocket {
		return path
	}
	sum := sha256.Sum256([]byte(s.dir))
	dir := "/run"
	if os.Geteuid() != 0 {
		dir = "/tmp"
	}
	return filepath.Join(dir, "lamina-"+hex.EncodeToString(sum[:6]), filepath.Base(socketFile))
}

func (s state) address() string { return "unix://" + s.socket() }

// make makes the directory, closed to everybody but its owner: access to the socket is root
// access to this machine.
func (s state) make() error {
	err := os.MkdirAll(s.dir, 0o700)
	if err == nil {
		err = os.Chmod(s.dir, 0o700) //nolint:gosec // a directory needs its x
	}
	if err != nil {
		return unwritable(err)
	}
	return nil
}

// makeShort makes the directory of a deep directory's socket, and refuses somebody else's. An
// engine removes it as it ends.
func (s state) makeShort() error {
	dir := filepath.Dir(s.socket())
	if filepath.Dir(dir) == s.dir {
		return nil
	}
	if err := atomicfile.Owned(dir); err != nil {
		return fmt.Errorf("making the engine's directory: %w", err)
	}
	return nil
}

// removeShort removes what makeShort made, if no engine came of it.
func (s state) removeShort() {
	dir := filepath.Dir(s.socket())
	if alive, err := s.alive(); err == nil && !alive && filepath.Dir(dir) != s.dir {
		_ = os.Remove(dir) // an empty directory does no harm
	}
}

// write replaces a file of the directory.
func (s state) write(name string, data []byte) error {
	if err := atomicfile.Write(s.path(name), data, 0o600); err != nil {
		return unwritable(err)
	}
	return nil
}

// alive reports whether a supervisor is running.
func (s state) alive() (bool, error) { return atomicfile.Held(s.path(aliveFile)) }

// record is what the supervisor writes when it starts.
type record struct {
	PID     int       `json:"pid"`
	InitPID int       `json:"initPid"`
	Version string    `json:"version"`
	Address string    `json:"address"`
	Root    string    `json:"root"`
	Started time.Time `json:"started"`
}

func (s state) record() (record, error) {
	var r record
	data, err := os.ReadFile(s.path(statusFile))
	if errors.Is(err, os.ErrNotExist) {
		return r, nil // not written yet, or just removed
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("reading the engine's status: %w", err)
	}
	return r, nil
}
