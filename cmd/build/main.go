// Command build builds lean GPU container images from a short spec, an
// image.toml, with BuildKit. Run "build --help" for usage.
//
// Only this package deals with the command line, the environment and exit codes. Each
// command has its own file, cmd_NAME.go.
package main

import (
	"context"
	"io"
	"os"

	"github.com/containerd/log"

	"lamina.build/internal/console"
	"lamina.build/internal/report"
)

func main() {
	u := console.New(os.Stdout, os.Stderr, os.Getenv)
	quieten(u.Stderr())
	ctx, stop := interruptible(context.Background(), u)
	a := &app{ui: u, env: os.Getenv}
	err := a.run(ctx, os.Args[1:])
	code := a.exitCode(ctx, err)
	stop()
	os.Exit(code)
}

// quieten limits libraries' logs to what ends the process, escaped since it may quote servers.
// They return the errors that they log, and other remarks, such as a missing disk feature,
// don't concern our users.
func quieten(stderr io.Writer) {
	_ = log.SetLevel("fatal")
	log.L.Logger.SetOutput(&report.ShownWriter{To: stderr})
}
