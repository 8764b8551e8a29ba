package solve

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"

	"lamina.build/internal/output"
)

// Export returns what BuildKit has to do for one output. store is the layout
// that all variants share, for the output that is one; stdout is where an
// output goes whose dest is "-". weights says that the image has uncompressed
// layers, which keep their form unless the output asks for another one.
func Export(o output.Output, store content.Store, stdout io.Writer, weights bool) client.ExportEntry {
	if o.Type == output.Local {
		return client.ExportEntry{Type: client.ExporterLocal, OutputDir: o.Dest}
	}
	e := client.ExportEntry{Type: string(o.Type), Attrs: attributes(o, weights)}
	switch {
	case o.Type == output.Image:
	case o.Layout() && o.Dest == "":
		e.OutputStore = store
	case !o.Tar:
		e.OutputDir = o.Dest
	default:
		e.Output = func(map[string]string) (io.WriteCloser, error) { return create(o.Dest, stdout) }
	}
	return e
}

// Prime is the export that goes before one in another compression: the first
// blob that an engine makes of a layer sticks, so that a later export would
// give other digests.
func Prime(outputs []output.Output) bool {
	for _, o := range outputs {
		if o.Type != output.Local && compression(o) != output.Zstd {
			return true
		}
	}
	return false
}

// compression is what an output's layers are stored as. The Docker of Debian
// 12 can't load zstd, and what goes through a pipe needs no compression.
func compression(o output.Output) output.Compression {
	switch {
	case o.Compression != "":
		return o.Compression
	case o.Type == output.Docker:
		return output.Uncompressed
	default:
		return output.Zstd
	}
}

// attributes leaves BuildKit nothing to decide that could change a digest.
// Forcing the compression costs nothing where the blobs have it already; it is
// left out where weights would be compressed for it.
func attributes(o output.Output, weights bool) map[string]string {
	force := !weights || compression(o) != output.Zstd
	attrs := map[string]string{
		"compression":       string(compression(o)),
		"force-compression": strconv.FormatBool(force),
		"oci-mediatypes":    strconv.FormatBool(o.Type != output.Docker),
	}
	if o.Level != output.DefaultLevel && o.Compression != "" {
		attrs["compression-level"] = strconv.Itoa(o.Level)
	}
	if len(o.Names) > 0 {
		attrs["name"] = strings.Join(o.Names, ",")
	}
	switch o.Type {
	case output.Image:
		attrs["push"] = strconv.FormatBool(o.Push)
		attrs["registry.insecure"] = strconv.FormatBool(o.Insecure)
	default:
		attrs["tar"] = strconv.FormatBool(o.Tar)
	}
	return attrs
}

// create opens a file that takes its name only when it is whole.
func create(dest string, stdout io.Writer) (io.WriteCloser, error) {
	if dest == output.Stdout {
		return unclosed{stdout}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(dest), "."+filepath.Base(dest)+"-")
	if err != nil {
		return nil, fmt.Errorf("writing %q: %w", dest, err)
	}
	return &pending{File: f, dest: dest}, nil
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// pending is renamed when it is closed. BuildKit closes an output once all of
// it was received, and leaves it open when the build fails.
type pending struct {
	*os.File
	dest string
}

func (p *pending) Close() error {
	if err := p.File.Close(); err != nil {
		return err
	}
	if err := os.Chmod(p.Name(), 0o644); err != nil { //nolint:gosec // an image is no secret
		return err
	}
	return os.Rename(p.Name(), p.dest)
}
