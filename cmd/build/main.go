// Command build makes lean GPU container images from a short spec, an
// image.toml, through BuildKit. "build --help" says how it is used.
//
// This package alone knows of the command line, the environment, the terminal
// and exit codes. Each command has a file of its own, cmd_NAME.go.
package main

import (
	"context"
	"io"
	"os"

	"github.com/containerd/log"

	"lamina.build/internal/report"
)

func main() {
	u := newUI(os.Stdout, os.Stderr, os.Getenv)
	quieten(u.stderr)
	ctx, stop := interruptible(context.Background(), u)
	a := &app{ui: u, env: os.Getenv}
	err := a.run(ctx, os.Args[1:])
	code := a.exitCode(ctx, err)
	stop()
	os.Exit(code)
}

// quieten has libraries log their errors alone, which quote servers: what they remark, such
// as a missing feature of the disk, is not for our users.
func quieten(stderr io.Writer) {
	_ = log.SetLevel("error")
	log.L.Logger.SetOutput(&report.ShownWriter{To: stderr})
}
