package lock

import (
	"strings"
)

// PythonRequest requests Python distributions, with all their dependencies, as one set.
type PythonRequest struct {
	Set   Set      `toml:"set"`
	Lines []string `toml:"lines"` // of requirement files, canonical and sorted: "numpy<2", "--index-url https://…"
}

// Distribution is one file that a Python package comes from: a wheel, an
// sdist, or the tree of a git commit.
type Distribution struct {
	Name     string `toml:"name"`     // normalised by PEP 503: "flash-attn"
	Version  string `toml:"version"`  // PEP 440: "2.6.0+cu124"
	Size     int64  `toml:"size"`     // bytes; 0 for a git tree
	SHA256   string `toml:"sha256"`   // hexadecimal; "" for a git tree, whose commit is in the URL
	File     string `toml:"file"`     // base name: "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl"; "" for a git tree
	URL      string `toml:"url"`      // without a login; "file:wheels/x.whl" next to the spec, "git+https://…@COMMIT#subdirectory=…"
	Index    string `toml:"index"`    // URL of the index that named the file, without a login; "" if none did
	Unpacked int64  `toml:"unpacked"` // bytes of all files in a wheel; 0 if unknown
	Metadata string `toml:"metadata"` // sha256 of a wheel's METADATA, which decided what it requires, hexadecimal
	License  string `toml:"license"`  // SPDX expression for what its metadata declares; "" if it declares none

	// Top lists the names that a wheel has below site-packages, sorted, except its own
	// metadata: "numpy", "numpy.libs", "six.py". It is empty for what is built.
	Top []string `toml:"top"`
	For []Set    `toml:"for"` // sorted
}

// UV is the wheel of uv, the program that resolves and installs Python packages.
type UV struct {
	Version string `toml:"version"` // "0.13.9"
	Size    int64  `toml:"size"`    // bytes of the wheel
	SHA256  string `toml:"sha256"`  // of the wheel, hexadecimal
	File    string `toml:"file"`    // base name of the wheel
	URL     string `toml:"url"`     // without a login
}

// LocalLimit is the largest size of a file next to the spec, in bytes: it is read into memory.
const LocalLimit = 4 << 30

// Omission is an optional requirement that could not be resolved.
type Omission struct {
	Set         Set    `toml:"set"`
	Requirement string `toml:"requirement"`
	Reason      string `toml:"reason"` // one line
}

// Wheel returns u as a distribution in no set.
func (u UV) Wheel() Distribution {
	return Distribution{Name: "uv", Version: u.Version, File: u.File, URL: u.URL, Size: u.Size, SHA256: u.SHA256}
}

// IsWheel reports whether d needs no building.
func (d Distribution) IsWheel() bool { return strings.HasSuffix(d.File, ".whl") }

// Git returns the parts of the URL of a git tree; ok is false for a file.
func (d Distribution) Git() (remote, commit, subdirectory string, ok bool) {
	rest, ok := strings.CutPrefix(d.URL, "git+")
	if !ok {
		return "", "", "", false
	}
	rest, subdirectory, _ = strings.Cut(rest, "#subdirectory=")
	at := max(strings.LastIndex(rest, "@"), 0)
	return rest[:at], strings.TrimPrefix(rest[at:], "@"), subdirectory, true
}

// Archive returns the parts of the URL of a file: its address, and the directory of the
// project in it.
func (d Distribution) Archive() (address, subdirectory string) {
	address, subdirectory, _ = strings.Cut(d.URL, "#subdirectory=")
	return address, subdirectory
}

// Local returns the path of a file next to the spec; ok is false for one from the network.
func (d Distribution) Local() (path string, ok bool) {
	address, _ := d.Archive()
	return strings.CutPrefix(address, "file:")
}
