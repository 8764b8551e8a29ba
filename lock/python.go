package lock

import (
	"strings"
)

// PythonRequest asks for Python distributions, and all that they need, as one set.
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
	Index    string `toml:"index"`    // URL of the index that named the file, without a login; "" for a file that none did
	Unpacked int64  `toml:"unpacked"` // bytes of all files in a wheel; 0 where that is not known
	Metadata string `toml:"metadata"` // sha256 of a wheel's METADATA, which decided what it requires, hexadecimal
	License  string `toml:"license"`  // SPDX expression for what its metadata declares; "" where that says none

	// Top are the names below site-packages that a wheel brings, sorted, but for its
	// own metadata: "numpy", "numpy.libs", "six.py". They are empty for what is built.
	Top []string `toml:"top"`
	For []Set    `toml:"for"` // sorted
}

// UV is the wheel of the one program that resolves and installs Python packages.
type UV struct {
	Version string `toml:"version"` // "0.13.9"
	Size    int64  `toml:"size"`    // bytes of the wheel
	SHA256  string `toml:"sha256"`  // of the wheel, hexadecimal
	File    string `toml:"file"`    // base name of its wheel
	URL     string `toml:"url"`     // without a login
}

// LocalLimit is how large a file next to the spec may be, in bytes: it is read into memory.
const LocalLimit = 4 << 30

// Omission is an optional requirement that could not be resolved.
type Omission struct {
	Set         Set    `toml:"set"`
	Requirement string `toml:"requirement"`
	Reason      string `toml:"reason"` // one line
}

// Wheel is u as a distribution, of no set.
func (u UV) Wheel() Distribution {
	return Distribution{Name: "uv", Version: u.Version, File: u.File, URL: u.URL, Size: u.Size, SHA256: u.SHA256}
}

// IsWheel says whether d needs no building.
func (d Distribution) IsWheel() bool { return strings.HasSuffix(d.File, ".whl") }

// Git returns what the URL of a git tree says; ok is false for a file.
func (d Distribution) Git() (remote, commit, subdirectory string, ok bool) {
	rest, ok := strings.CutPrefix(d.URL, "git+")
	if !ok {
		return "", "", "", false
	}
	rest, subdirectory, _ = strings.Cut(rest, "#subdirectory=")
	at := max(strings.LastIndex(rest, "@"), 0)
	return rest[:at], strings.TrimPrefix(rest[at:], "@"), subdirectory, true
}

// Archive returns what the URL of a file says: its address, and the directory of the
// project in it.
func (d Distribution) Archive() (address, subdirectory string) {
	address, subdirectory, _ = strings.Cut(d.URL, "#subdirectory=")
	return address, subdirectory
}

// Local returns the path of a file that lies next to the spec; ok is false for
// one from the network.
func (d Distribution) Local() (path string, ok bool) {
	address, _ := d.Archive()
	return strings.CutPrefix(address, "file:")
}
