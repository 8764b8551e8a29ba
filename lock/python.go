package lock

import (
	"cmp"
	"strings"
)

// PythonRequest asks for Python distributions, and all that they need, as one set.
type PythonRequest struct {
	Set   Set
	Lines []string // of requirement files, canonical and sorted: "numpy<2", "--index-url https://…"
}

// Distribution is one file that a Python package comes from: a wheel, an
// sdist, or the tree of a git commit.
type Distribution struct {
	Name     string // normalised by PEP 503: "flash-attn"
	Version  string // PEP 440: "2.6.0+cu124"
	File     string // base name: "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl"; "" for a git tree
	URL      string // without a login; "file:wheels/x.whl" beside the spec, "git+https://…@COMMIT#subdirectory=…"
	Size     int64  // bytes; 0 for a git tree
	SHA256   string // hexadecimal; "" for a git tree, whose commit is in the URL
	Unpacked int64  // bytes of all files in a wheel; 0 where that is not known
	Index    string // URL of the index that named the file, without a login; "" for a file that none did

	// Top are the names below site-packages that a wheel brings, sorted, but for its
	// own metadata: "numpy", "numpy.libs", "six.py". They are empty for what is built.
	Top []string

	For []Set
}

// UV is the wheel of the one program that resolves and installs Python packages.
type UV struct {
	Version string // "0.13.9"
	File    string // base name of its wheel
	URL     string // without a login
	Size    int64  // bytes of the wheel
	SHA256  string // of the wheel, hexadecimal
}

// Wheel is u as a distribution, of no set.
func (u UV) Wheel() Distribution {
	return Distribution{Name: "uv", Version: u.Version, File: u.File, URL: u.URL, Size: u.Size, SHA256: u.SHA256}
}

// Omission is an optional requirement that could not be resolved.
type Omission struct {
	Set         Set
	Requirement string
	Reason      string // one line
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

// Archive returns what the URL of a file says: its address, and the folder of the
// project in it.
func (d Distribution) Archive() (address, subdirectory string) {
	address, subdirectory, _ = strings.Cut(d.URL, "#subdirectory=")
	return address, subdirectory
}

// Local returns the path of a file that lies beside the spec; ok is false for
// one from the network.
func (d Distribution) Local() (path string, ok bool) {
	address, _ := d.Archive()
	return strings.CutPrefix(address, "file:")
}

func compareDistributions(a, b Distribution) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.File, b.File), cmp.Compare(a.URL, b.URL))
}

func compareOmissions(a, b Omission) int {
	return cmp.Or(a.Set.Compare(b.Set), cmp.Compare(a.Requirement, b.Requirement))
}
