package readback

import (
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"

	"lamina.build/output"
)

// Entry returns an output in the terms of BuildKit's exporters. It leaves nothing to them that
// could change a digest. Bare files come as a tar, see [layout.Dir].
func Entry(o output.Output) client.ExportEntry {
	if !o.HasImage() {
		return client.ExportEntry{Type: client.ExporterTar, Attrs: map[string]string{}}
	}
	return client.ExportEntry{Type: string(o.Type), Attrs: attributes(o)}
}

// attributes returns the attributes of an exporter. They force the compression, which costs
// nothing if the blobs have it already; otherwise a layer would keep the one of an earlier
// export. A pushed image gets its tags after it was read back.
func attributes(o output.Output) map[string]string {
	attrs := map[string]string{
		"compression":       string(compression(o)),
		"force-compression": "true",
		"oci-mediatypes":    strconv.FormatBool(o.Type != output.Docker),
	}
	names := o.Names
	switch {
	case o.Push:
		names = repositories(o.Names)
		attrs["push-by-digest"], attrs["store"] = "true", "false"
	case o.Type == output.OCI && len(names) > 1: // an engine would list the image twice, and podman loads only one
		names = names[:1]
	}
	if len(names) > 0 {
		attrs["name"] = strings.Join(names, ",")
	}
	for _, a := range o.Annotations {
		if !a.Index && (!a.Descriptor || o.Tar) { // a layout has it at the tag
			attrs[a.Attribute()] = a.Value
		}
	}
	if o.Type == output.Image {
		attrs["push"] = strconv.FormatBool(o.Push)
		attrs["registry.insecure"] = strconv.FormatBool(o.Insecure)
	} else {
		attrs["tar"] = strconv.FormatBool(o.Tar)
	}
	return attrs
}

// annotations returns the annotations of the manifest of an output's image, or its descriptor.
func annotations(o output.Output, descriptor bool) map[string]string {
	return annotated(o, func(a output.Annotation) bool { return !a.Index && a.Descriptor == descriptor })
}

// indexAnnotations returns the same for an index.
func indexAnnotations(o output.Output, descriptor bool) map[string]string {
	return annotated(o, func(a output.Annotation) bool { return a.Index && a.Descriptor == descriptor })
}

func annotated(o output.Output, is func(output.Annotation) bool) map[string]string {
	var m map[string]string
	for _, a := range o.Annotations {
		if is(a) {
			if m == nil {
				m = map[string]string{}
			}
			m[a.Key] = a.Value
		}
	}
	return m
}

// repositories returns the repositories of image names, each once. The names are valid.
func repositories(names []string) (list []string) {
	for _, name := range names {
		if repository, _ := output.SplitName(name); !slices.Contains(list, repository) {
			list = append(list, repository)
		}
	}
	return list
}

// compression returns how to store the layers of an output. Debian 12's Docker can't load
// zstd, and what it unpacks at once needs no compression.
func compression(o output.Output) output.Compression {
	switch {
	case o.Compression != "":
		return o.Compression
	case o.Type == output.Docker:
		return output.Uncompressed
	}
	return output.Zstd
}
