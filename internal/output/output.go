// Package output reads what --output says: where a build leaves its image.
//
// The syntax is that of docker buildx, a line of comma-separated fields. It is
// read strictly: what buildx would pass on to an engine that ignores it is an
// error here, and all errors of a line are reported at once.
package output

import (
	"strconv"
	"strings"
)

// Output is one destination of a build.
type Output struct {
	Type        Type
	Dest        string // a file, a folder, or [Stdout]; "" for an OCI layout in its usual place
	Usual       bool   // Dest is that place, filled in by a build: nobody typed it
	Tar         bool   // one archive instead of a folder
	Push        bool   // to the registry that the names tell
	Insecure    bool   // that registry speaks plain HTTP, or nobody signed its certificate
	Names       []string
	Compression Compression // "" leaves the choice to the build
	Level       int         // of Compression; [DefaultLevel] leaves the choice to the build
}

// Stdout is the Dest that means the standard output.
const Stdout = "-"

// DefaultLevel stands for the level that a compression has by itself.
const DefaultLevel = -1

// Type is the form in which an image leaves the build.
type Type string

// The forms: an OCI layout or an archive of one, what "docker load" reads, an
// image in a registry or in the engine's own store, the bare files.
const (
	OCI    Type = "oci"
	Docker Type = "docker"
	Image  Type = "image"
	Local  Type = "local"
)

// Compression is how the layers of an image are stored.
type Compression string

// The compressions of layers.
const (
	Uncompressed Compression = "uncompressed"
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
	EStargz      Compression = "estargz"
)

// Layout says whether o is the OCI layout that all variants share.
func (o Output) Layout() bool { return o.Type == OCI && !o.Tar }

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
	add(o.Compression != "", "compression", string(o.Compression))
	add(o.Level != DefaultLevel, "compression-level", strconv.Itoa(o.Level))
	return strings.Join(fields, ",")
}

// quote writes one field as CSV has it.
func quote(field string) string {
	if !strings.ContainsAny(field, ",\"") {
		return field
	}
	return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
}
