// Package output says where a build leaves its image: as values, and in the words of
// docker buildx, a line of comma-separated fields.
//
// Lines are read strictly: what buildx would pass on to an engine that ignores it is an
// error here, and all errors of a line are reported at once.
package output

import (
	"strconv"
	"strings"
)

// Output is one destination of an image. [Parse] fills in what follows from the
// others: that a Dest of type OCI is an archive, for one.
type Output struct {
	Type        Type
	Dest        string      // a file, a directory, or [Stdout]; "" is the OCI layout dist/NAME, or docker itself
	Tar         bool        // one archive instead of a directory
	Push        bool        // to the registry that the names tell
	Insecure    bool        // that registry speaks plain HTTP, or nobody signed its certificate
	ByDigest    bool        // pushed without a tag: its names have none
	Names       []string    // of the image: "registry.example/app:1"
	Compression Compression // of layers; "" is zstd, and nothing for Docker
	Annotations []Annotation
}

// Stdout is the Dest that means the standard output.
const Stdout = "-"

// Type is the form in which an image leaves the build.
type Type string

// The forms of an image.
const (
	OCI       Type = "oci"       // an OCI layout, or an archive of one
	Docker    Type = "docker"    // an archive for "docker load", or loaded at once
	Image     Type = "image"     // in a registry, or in the engine's own store
	Local     Type = "local"     // the bare files
	Tar       Type = "tar"       // the bare files as an archive
	CacheOnly Type = "cacheonly" // nothing: what is made stays in the engine and in caches
)

// Compression is how the layers of an image are stored.
type Compression string

// The compressions of layers. BuildKit's eStargz writes a file into each, so that its diff
// ID is another, which stays with the engine.
const (
	Uncompressed Compression = "uncompressed"
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
)

// Layout says whether o is the OCI layout that all variants share.
func (o Output) Layout() bool { return o.Type == OCI && !o.Tar }

// Loads says whether o is handed to docker, with no archive left.
func (o Output) Loads() bool { return o.Type == Docker && o.Dest == "" }

// HasImage says whether o is an image, which bare files are not.
func (o Output) HasImage() bool { return o.Type == OCI || o.Type == Docker || o.Type == Image }

// ToStdout says whether o takes the standard output for itself.
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

// quote writes one field as CSV has it.
func quote(field string) string {
	if !strings.ContainsAny(field, ",\"") {
		return field
	}
	return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
}
