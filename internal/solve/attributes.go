package solve

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/exptypes"

	"lamina.build/llb"
	"lamina.build/output"
)

// Entry is an output in the words of BuildKit's exporters. It leaves nothing to them that
// could change a digest. Bare files come as a tar, see [layout.Folder].
func Entry(o output.Output, weights bool) client.ExportEntry {
	if o.Type == output.Local {
		return client.ExportEntry{Type: client.ExporterTar, Attrs: map[string]string{}}
	}
	return client.ExportEntry{Type: string(o.Type), Attrs: attributes(o, weights)}
}

// attributes force the compression, which costs nothing where the blobs have it already,
// and keeps a layer that was once exported in another one from staying so. It is left out
// where weights would be compressed for it.
func attributes(o output.Output, weights bool) map[string]string {
	c := compression(o)
	attrs := map[string]string{
		"compression":       string(c),
		"force-compression": strconv.FormatBool(!weights || c != output.Zstd),
		"oci-mediatypes":    strconv.FormatBool(o.Type != output.Docker),
	}
	if o.Level != nil {
		attrs["compression-level"] = strconv.Itoa(*o.Level)
	}
	if len(o.Names) > 0 {
		attrs["name"] = strings.Join(o.Names, ",")
	}
	if o.Type == output.Image {
		attrs["push"] = strconv.FormatBool(o.Push)
		attrs["registry.insecure"] = strconv.FormatBool(o.Insecure)
	} else {
		attrs["tar"] = strconv.FormatBool(o.Tar)
	}
	return attrs
}

// compression is what the layers of an output are stored as. The Docker of
// Debian 12 can't load zstd, and what it unpacks at once needs no compression.
func compression(o output.Output) output.Compression {
	switch {
	case o.Compression != "":
		return o.Compression
	case o.Type == output.Docker:
		return output.Uncompressed
	}
	return output.Zstd
}

// Prime is the export that goes before one in another compression than zstd: the
// first blob that an engine makes of a layer sticks, and where weights forbid to
// force the compression, every later export would have other digests. It is nil
// where none is needed.
func (x *Exports) Prime() []client.ExportEntry {
	for _, o := range x.Outputs {
		if x.weights && o.Type != output.Local && compression(o) != output.Zstd {
			usual := Entry(output.Output{Type: output.OCI, Tar: true}, true)
			usual.Output = give(unclosed{io.Discard})
			return []client.ExportEntry{usual}
		}
	}
	return nil
}

// dated are exports that bear the date of an image. Their index says when it was made, by
// the engine's clock where nobody tells it. Nothing of an image is newer, so that this
// moves none of it.
func dated(exports []client.ExportEntry, created *time.Time) []client.ExportEntry {
	date := llb.EpochTime()
	if created != nil && created.After(date) {
		date = *created
	}
	list := slices.Clone(exports)
	for i, e := range list {
		if e.Type == client.ExporterOCI || e.Type == client.ExporterDocker {
			list[i].Attrs = maps.Clone(e.Attrs)
			list[i].Attrs[string(exptypes.OptKeySourceDateEpoch)] = strconv.FormatInt(date.Unix(), 10)
		}
	}
	return list
}
