package lamina

import (
	"strconv"
	"strings"

	"lamina.build/internal/output"
)

// attributes are an output in the words of BuildKit's exporters. They leave
// nothing to it that could change a digest.
//
// Forcing the compression costs nothing where the blobs have it already, and
// keeps a layer that was once exported in another one from staying so. It is
// left out where weights would be compressed for it.
func attributes(o output.Output, weights bool) map[string]string {
	if o.Type == output.Local {
		return map[string]string{}
	}
	c := compression(o)
	attrs := map[string]string{
		"compression":       string(c),
		"force-compression": strconv.FormatBool(!weights || c != output.Zstd),
		"oci-mediatypes":    strconv.FormatBool(o.Type != output.Docker),
	}
	if o.Level != output.DefaultLevel {
		attrs["compression-level"] = strconv.Itoa(o.Level)
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
