package testworld

import (
	"bytes"
	"crypto/md5" //nolint:gosec // of a repository that nobody trusts
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

// DebianOptions describes a repository. The zero value is usable.
type DebianOptions struct {
	Path         string        // below the world: "debian"
	Suite        string        // its directory below dists, and its codename: "bookworm"
	Says         string        // the index's own name, if it is another
	Flat         bool          // no dists, no components: everything is in the repository's directory
	Components   []string      // "main"
	Architecture string        // "amd64"
	Compressions []string      // of Packages: ".gz" and ".xz"
	Date         time.Time     // an hour ago
	Valid        time.Duration // after Date; default: for ever
	NoByHash     bool          // only the plain names exist
	Detached     bool          // Release and Release.gpg take the place of InRelease
	Fields       []string      // further ones of the index
	Hashes       []string      // in its indexes: "SHA256"
	Sums         []string      // of packages, if they differ from Hashes
	Signers      []*openpgp.Entity
}

func (o DebianOptions) withDefaults(w *World) DebianOptions {
	o.Path = or(o.Path, "debian")
	o.Suite = or(o.Suite, "bookworm")
	o.Says = or(o.Says, o.Suite)
	o.Architecture = or(o.Architecture, "amd64")
	if o.Components == nil {
		o.Components = []string{"main"}
	}
	if o.Hashes == nil {
		o.Hashes = []string{"SHA256"}
	}
	if o.Sums == nil {
		o.Sums = o.Hashes
	}
	if o.Compressions == nil {
		o.Compressions = []string{".gz", ".xz"}
	}
	if o.Date.IsZero() {
		o.Date = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	}
	if o.Signers == nil {
		o.Signers = []*openpgp.Entity{NewKey(w.t, KeyOptions{})}
	}
	return o
}

// Debian is a signed repository of packages made for a test.
type Debian struct {
	DebianOptions

	URL string // the base of its pool paths
	Key []byte // its public keys, armoured

	world *World
	debs  []Deb
}

// Debian publishes a repository with the given packages.
func (w *World) Debian(o DebianOptions, debs ...Deb) *Debian {
	w.t.Helper()
	o = o.withDefaults(w)
	d := &Debian{DebianOptions: o, URL: w.URL + "/" + o.Path, Key: Armoured(w.t, o.Signers...), world: w}
	d.Publish(debs...)
	return d
}

// Dir returns the directory of the index below the world.
func (d *Debian) Dir() string {
	if d.Flat {
		return d.Path
	}
	return path.Join(d.Path, "dists", d.Suite)
}

// Publish adds packages and signs the indexes again.
func (d *Debian) Publish(debs ...Deb) {
	t := d.world.t
	t.Helper()
	for _, deb := range debs {
		d.debs = append(d.debs, deb.withDefaults())
	}
	packages := map[string]*bytes.Buffer{}
	for _, c := range d.Components {
		packages[d.packagesName(c)] = &bytes.Buffer{}
	}
	for _, deb := range d.debs {
		data := deb.Bytes(t)
		d.world.Put(path.Join(d.Path, deb.Path()), data)
		out := packages[d.packagesName(deb.Component)]
		fmt.Fprintf(out, "%sFilename: %s\nSize: %d\n", deb.control(), deb.Path(), len(data))
		for _, name := range d.Sums {
			fmt.Fprintf(out, "%s: %s\n", name, hashed(name, data))
		}
		fmt.Fprintln(out)
	}
	files := map[string][]byte{}
	for name, content := range packages {
		files[name] = content.Bytes()
		for _, suffix := range d.Compressions {
			files[name+suffix] = Compress(t, suffix, content.Bytes())
		}
	}
	d.putIndexes(files)
	d.Sign([]byte(d.release(files)))
}

// hashed returns a hash of data as in indexes.
func hashed(algorithm string, data []byte) string {
	switch algorithm {
	case "SHA512":
		return fmt.Sprintf("%x", sha512.Sum512(data))
	case "MD5sum", "MD5Sum":
		return fmt.Sprintf("%x", md5.Sum(data)) //nolint:gosec // of a repository that nobody trusts
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// packagesName is relative to the index. A flat repository has one file.
func (d *Debian) packagesName(component string) string {
	if d.Flat {
		return "Packages"
	}
	return component + "/binary-" + d.Architecture + "/Packages"
}

func (d *Debian) putIndexes(files map[string][]byte) {
	for name, content := range files {
		if !slices.Contains(d.Compressions, path.Ext(name)) {
			continue
		}
		d.world.Put(path.Join(d.Dir(), name), content)
		for _, algorithm := range d.Hashes {
			if !d.NoByHash {
				d.world.Put(path.Join(d.Dir(), path.Dir(name), "by-hash", algorithm, hashed(algorithm, content)), content)
			}
		}
	}
}

// release returns the text to sign. Like Debian's, it lists the uncompressed Packages, which no
// mirror has.
func (d *Debian) release(files map[string][]byte) string {
	lines := []string{
		"Origin: Test",
		"Suite: stable",
		"Codename: " + d.Says,
		"Date: " + d.Date.UTC().Format(time.RFC1123),
	}
	if d.Valid != 0 {
		lines = append(lines, "Valid-Until: "+d.Date.Add(d.Valid).UTC().Format(time.RFC1123))
	}
	if !d.NoByHash {
		lines = append(lines, "Acquire-By-Hash: yes")
	}
	if !d.Flat {
		lines = append(lines, "Architectures: all "+d.Architecture, "No-Support-for-Architecture-all: Packages",
			"Components: "+strings.Join(d.Components, " "))
	}
	lines = append(lines, d.Fields...)
	for _, algorithm := range d.Hashes {
		lines = append(lines, algorithm+":")
		for _, name := range slices.Sorted(maps.Keys(files)) {
			lines = append(lines, fmt.Sprintf(" %s %8d %s", hashed(algorithm, files[name]), len(files[name]), name))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// Sign publishes a text as the index, signed by all signers.
func (d *Debian) Sign(text []byte) {
	t := d.world.t
	t.Helper()
	var out bytes.Buffer
	if d.Detached {
		for _, s := range d.Signers {
			if err := openpgp.DetachSign(&out, s, bytes.NewReader(text), nil); err != nil {
				t.Fatal(err)
			}
		}
		d.world.Put(path.Join(d.Dir(), "Release"), text)
		d.world.Put(path.Join(d.Dir(), "Release.gpg"), out.Bytes())
		return
	}
	w, err := clearsign.EncodeMulti(&out, privateKeys(d.Signers), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d.world.Put(path.Join(d.Dir(), "InRelease"), out.Bytes())
}
