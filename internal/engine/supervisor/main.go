//go:build linux

// Command supervisor runs the private engine: a buildkitd in its own pid and mount
// namespace, which lives as long as anybody holds a lease on it.
//
// The first client starts it detached. The process tree is
//
//	supervisor ── init (pid 1 of the namespaces) ── buildkitd ── runc ── …
//
// init dies with the supervisor (a parent-death signal), and the kernel kills everything
// in a pid namespace with its pid 1 and drops the mounts of a mount namespace with its
// last process. So a kill -9 of any of the three leaves no process and no mount behind.
//
// An ordinary user's engine also has a user namespace, in which that user is root (user.go).
// It cannot reach the files of other users.
//
// The program is compiled together with buildkitd, in buildkitd's module, from the source
// embedded in package engine. It imports only the standard library.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Exit codes that package engine tells apart.
const (
	exitFailure     = 1
	exitNoOverlay   = 3
	exitNoNamespace = 4
)

func main() {
	//nolint:forbidigo // a program of its own: this is its edge to the process
	os.Exit(run(os.Args, os.Stderr))
}

func run(args []string, stderr *os.File) int {
	logger := log.New(stderr, "engine: ", log.LstdFlags)
	c, err := parse(args)
	if err != nil {
		logger.Print(err)
		return exitFailure
	}
	if c.role == roleEnter {
		logger.Print(enter(c)) // returns only on an error
		return exitNoNamespace
	}
	if c.role == roleInit {
		code, initErr := initMain(c, stderr)
		if initErr != nil {
			logger.Print(initErr)
		}
		return code
	}
	err = supervise(c, stderr, logger)
	if err == nil {
		return 0
	}
	logger.Print(err)
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	return exitFailure
}

// The roles of this one binary.
const (
	roleSupervise = "supervise"
	roleEnter     = "enter" // becomes init once the users of its namespace are mapped
	roleInit      = "init"
)

// config is what the client asked for; all roles get the same flags.
type config struct {
	role      string
	flags     []string
	state     string // directory of the lease, the log and the other files below
	root      string // buildkitd's root
	socket    string
	buildkitd string
	config    string
	oci       string
	version   string

	newuidmap, newgidmap string // programs
	uids, gids           string // their arguments: "0 1000 1 1 100000 65536"; "" for root
}

// rootless reports whether an ordinary user runs the engine, in a user namespace.
func (c config) rootless() bool { return c.uids != "" }

func parse(args []string) (config, error) {
	roles := []string{roleSupervise, roleEnter, roleInit}
	if len(args) < 2 || !slices.Contains(roles, args[1]) {
		return config{}, fmt.Errorf("usage: supervisor %s flags", strings.Join(roles, "|"))
	}
	c := config{role: args[1], flags: args[2:]}
	flags := flag.NewFlagSet(args[1], flag.ContinueOnError)
	flags.StringVar(&c.state, "state", "", "directory of the lease and the log")
	flags.StringVar(&c.root, "root", "", "buildkitd's root")
	flags.StringVar(&c.socket, "socket", "", "path of the socket to serve")
	flags.StringVar(&c.buildkitd, "buildkitd", "", "buildkitd binary")
	flags.StringVar(&c.config, "config", "", "buildkitd.toml")
	flags.StringVar(&c.oci, "oci", "", "runc or crun binary")
	flags.StringVar(&c.version, "version", "", "version to record")
	flags.StringVar(&c.newuidmap, "newuidmap", "", "program that maps the users of a user namespace")
	flags.StringVar(&c.newgidmap, "newgidmap", "", "program that maps its groups")
	flags.StringVar(&c.uids, "uids", "", "users of the namespace; empty for root")
	flags.StringVar(&c.gids, "gids", "", "its groups")
	if err := flags.Parse(c.flags); err != nil {
		return config{}, fmt.Errorf("parsing flags: %w", err)
	}
	return c, nil
}

// path returns the path of a file that clients and supervisor share. The names repeat those
// in package engine's state.go, which this program cannot import.
func (c config) path(name string) string { return filepath.Join(c.state, name) }

// temp is where buildkitd and runc put temporary files and mount points, so that a
// killed engine leaves none of them in the system's directory.
func (c config) temp() string { return c.path("tmp") }

// shortTemp is the path of temp for buildkitd, which has sockets there: next to its own
// socket if that is outside of a deep state directory.
func (c config) shortTemp() string {
	if dir := filepath.Dir(c.socket); filepath.Dir(dir) != c.state {
		return filepath.Join(dir, "tmp")
	}
	return c.temp()
}

// traces is the socket on which buildkitd receives traces from its containers.
func (c config) traces() string { return filepath.Join(filepath.Dir(c.socket), "otel.sock") }
