// Command dockerfile builds the Dockerfile of a folder on a running engine, for
// bench/wheels.sh: with the Dockerfile frontend that BuildKit has built in, and
// exported as Lamina exports. It pushes to the reference that it is given; - is
// an archive of an OCI layout to the standard output.
//
//	dockerfile ENGINE FOLDER REFERENCE
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/util/progress/progressui"
	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // a program of its own
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil { //nolint:forbidigo // a program of its own
		stop()
		log.Fatal(err) //nolint:gocritic // stopped above
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: dockerfile ENGINE FOLDER REFERENCE")
	}
	files, err := folder(args[1])
	if err != nil {
		return err
	}
	c, err := client.New(ctx, args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	status := make(chan *client.SolveStatus)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, err := c.Solve(gctx, nil, client.SolveOpt{
			Frontend:       "dockerfile.v0",
			FrontendInputs: map[string]bkllb.State{"dockerfile": files, "context": files},
			Exports:        []client.ExportEntry{export(args[2])},
		}, status)
		return err
	})
	g.Go(func() error {
		display, err := progressui.NewDisplay(os.Stderr, progressui.PlainMode) //nolint:forbidigo // a program of its own
		if err != nil {
			return err
		}
		_, err = display.UpdateFrom(ctx, status)
		return err
	})
	return g.Wait()
}

func export(reference string) client.ExportEntry {
	attrs := map[string]string{"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true"}
	if reference == "-" {
		return client.ExportEntry{Type: client.ExporterOCI, Attrs: attrs, Output: func(map[string]string) (io.WriteCloser, error) {
			return os.Stdout, nil //nolint:forbidigo // a program of its own
		}}
	}
	attrs["name"], attrs["push"], attrs["registry.insecure"] = reference, "true", "true"
	return client.ExportEntry{Type: client.ExporterImage, Attrs: attrs}
}

// folder is the context: some small files, which can be part of the graph.
func folder(dir string) (bkllb.State, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return bkllb.State{}, err
	}
	files := bkllb.Scratch()
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // a script says which
		if err != nil {
			return bkllb.State{}, err
		}
		files = files.File(bkllb.Mkfile("/"+e.Name(), 0o644, content))
	}
	return files, nil
}
