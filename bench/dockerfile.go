package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/util/progress/progressui"
	"golang.org/x/sync/errgroup"
)

// dockerfile builds the Dockerfile of a directory with BuildKit's built-in frontend, and
// exports as Lamina does. It pushes to the given reference; - writes an archive of an OCI
// layout to out.
func dockerfile(ctx context.Context, args []string, out io.WriteCloser, progress *os.File) error {
	if len(args) != 3 {
		return errors.New("usage: bench dockerfile ENGINE DIR REFERENCE")
	}
	files, err := directory(args[1])
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
			Exports:        []client.ExportEntry{export(args[2], out)},
		}, status)
		return err
	})
	g.Go(func() error {
		display, err := progressui.NewDisplay(progress, progressui.PlainMode)
		if err != nil {
			return err
		}
		_, err = display.UpdateFrom(ctx, status)
		return err
	})
	return g.Wait()
}

func export(reference string, out io.WriteCloser) client.ExportEntry {
	attrs := map[string]string{"compression": "zstd", "force-compression": "true", "oci-mediatypes": "true"}
	if reference == "-" {
		return client.ExportEntry{Type: client.ExporterOCI, Attrs: attrs, Output: func(map[string]string) (io.WriteCloser, error) {
			return out, nil
		}}
	}
	attrs["name"], attrs["push"], attrs["registry.insecure"] = reference, "true", "true"
	return client.ExportEntry{Type: client.ExporterImage, Attrs: attrs}
}

// directory returns the context: some small files, which can be part of the graph.
func directory(dir string) (bkllb.State, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return bkllb.State{}, err
	}
	files := bkllb.Scratch()
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // a script names it
		if err != nil {
			return bkllb.State{}, err
		}
		files = files.File(bkllb.Mkfile("/"+e.Name(), 0o644, content))
	}
	return files, nil
}
