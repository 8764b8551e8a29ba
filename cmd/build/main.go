// Command build makes lean GPU container images from a short spec, an
// image.toml, through BuildKit. "build --help" says how it is used.
//
// This package alone knows of the command line, the environment, the terminal
// and exit codes. Each command has a file of its own, cmd_NAME.go.
package main

import (
	"context"
	"os"

	"github.com/containerd/log"
)

func main() {
	_ = log.SetLevel("fatal") // what libraries remark is not for our users, and errors come back to us
	u := newUI(os.Stdout, os.Stderr, os.Getenv)
	ctx, stop := interruptible(context.Background(), u)
	a := &app{ui: u, env: os.Getenv}
	err := a.run(ctx, os.Args[1:])
	code := a.exitCode(ctx, err)
	stop()
	os.Exit(code)
}
