//go:build linux

// Command supervisor keeps the private engine: one buildkitd in a pid and
// mount namespace of its own, alive as long as somebody holds a lease on it.
//
// It is started detached by the first client. The tree of processes is
//
//	supervisor ── init (pid 1 of the namespaces) ── buildkitd ── runc ── …
//
// init dies with the supervisor (a parent-death signal), and the kernel kills
// everything in a pid namespace with its pid 1 and drops the mounts of a mount
// namespace with its last process. So a kill -9 of any of the three leaves
// neither a process nor a mount behind.
//
// The engine of an ordinary user has a user namespace besides, in which that user is root
// (user.go). Nobody else's files are in reach of it.
//
// The program is compiled next to buildkitd, in buildkitd's module, from the
// source embedded in package engine: it imports the standard library only.
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
		logger.Print(enter(c)) // which doesn't come back where nothing is wrong
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

// The roles that one binary plays.
const (
	roleSupervise = "supervise"
	roleEnter     = "enter" // which becomes init, once the users of its namespace are mapped
	roleInit      = "init"
)

// config is what the client asks for; both roles get the same flags.
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
	uids, gids           string // what they are told: "0 1000 1 1 100000 65536"; "" for root
}

// rootless says that the engine is an ordinary user's, in a user namespace.
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
	flags.StringVar(&c.uids, "uids", "", "users of the namespace; root's engine has none")
	flags.StringVar(&c.gids, "gids", "", "its groups")
	if err := flags.Parse(c.flags); err != nil {
		return config{}, fmt.Errorf("parsing flags: %w", err)
	}
	return c, nil
}

// path is the place of a file that clients and supervisor share. The names are
// those of package engine's state.go, which this program cannot import.
func (c config) path(name string) string { return filepath.Join(c.state, name) }

// temp is where buildkitd and runc put their temporary files and mount points,
// so that a killed engine leaves none of them in the system's directory.
func (c config) temp() string { return c.path("tmp") }

// traces is the socket on which buildkitd takes the traces of its containers.
func (c config) traces() string { return filepath.Join(filepath.Dir(c.socket), "otel.sock") }
