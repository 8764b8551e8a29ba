// Package output describes where a build puts its image: as values, and in the syntax of
// docker buildx, a line of comma-separated fields.
//
// Lines are read strictly: a field that buildx would pass on to an engine that ignores it
// is an error here, and all errors of a line are reported at once.
package output

import (
	"strconv"
	"strings"
)

// Output is one destination of an image. [Parse] fills in fields that follow from others,
// such as that a Dest of type OCI is an archive.
type Output struct {
	Type        Type
	Dest        string      // a file, a directory, or [Stdout]; "" is the OCI layout dist/NAME, or docker itself
	Tar         bool        // one archive instead of a directory
	Push        bool        // to the registry in the names
	Insecure    bool        // allow plain HTTP and untrusted certificates for that registry
	ByDigest    bool        // push without a tag: its names have none
	Names       []string    // of the image: "registry.example/app:1"
	Compression Compression // of layers; "" is zstd, or uncompressed for Docker
	Annotations []Annotation
}

// Stdout is the Dest that means the standard output.
const Stdout = "-"

// Type is the form in which an image leaves the build.
type Type string

// The forms of an image.
const (
	OCI       Type = "oci"       // an OCI layout, or an archive of one
	Docker    Type = "docker"    // an archive for "docker load", or loaded directly
	Image     Type = "image"     // in a registry, or in the engine's own store
	Local     Type = "local"     // the bare files
	Tar       Type = "tar"       // the bare files as an archive
	CacheOnly Type = "cacheonly" // nothing: the result stays in the engine and in caches
)

// Compression is how the layers of an image are stored.
type Compression string

// The compressions of layers. BuildKit's eStargz adds a file to each layer, which changes
// its diff ID for good in the engine.
const (
	Uncompressed Compression = "uncompressed"
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
)

// Layout reports whether o is the OCI layout that all variants share.
func (o Output) Layout() bool { return o.Type == OCI && !o.Tar }

// Loads reports whether o is loaded into docker without leaving an archive.
func (o Output) Loads() bool { return o.Type == Docker && o.Dest == "" }

// HasImage reports whether o is an image, which bare files are not.
func (o Output) HasImage() bool { return o.Type == OCI || o.Type == Docker || o.Type == Image }

// ToStdout reports whether o is written to standard output.
func (o Output) ToStdout() bool { return o.Dest == Stdout }

// String returns o in the syntax that [Parse] reads.
func (o Output) String() string {
	fields := []string{"type=" + string(o.Type)}
	add := func(set bool, key, value string) {
		if set {
			fields = append(fields, quote(key+"="+value))
		}
	}
	add(o.Dest != "", "dest", o.Dest)
	add(o.Type == OCI && o.Dest != "", "tar", strconv.FormatBool(o.Tar))
	add(len(o.Names) > 0, "name", strings.Join(o.Names, ","))
	add(o.Push, "push", "true")
	add(o.Insecure, "registry.insecure", "true")
	add(o.ByDigest, "push-by-digest", "true")
	add(o.Compression != "", "compression", string(o.Compression))
	for _, a := range o.Annotations {
		add(true, "annotation"+a.part()+"."+a.Key, a.Value)
	}
	return strings.Join(fields, ",")
}

// quote quotes a field for CSV.
func quote(field string) string {
	if !strings.ContainsAny(field, ",\"") {
		return field
	}
	return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
}
