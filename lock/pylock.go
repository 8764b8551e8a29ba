package lock

import (
	"errors"
	"fmt"
	"strings"
)

// Pylock returns the distributions that a variant installs as the text of a
// pylock.toml (PEP 751), for other installers. What lies beside the spec is
// named by its path, which a pylock.toml has relative to itself.
func (l Lock) Pylock(variant string) ([]byte, error) {
	list := l.PythonIn(SetPython, variant)
	if len(list) == 0 {
		return nil, errors.New("the lock has no Python distributions")
	}
	var b strings.Builder
	b.WriteString("lock-version = \"1.0\"\ncreated-by = \"lamina\"\n")
	for _, d := range list {
		fmt.Fprintf(&b, "\n[[packages]]\nname = %s\nversion = %s\n", quote(d.Name), quote(d.Version))
		b.WriteString(d.pylock())
	}
	return []byte(b.String()), nil
}

// pylock is where d comes from, in the terms of PEP 751.
func (d Distribution) pylock() string {
	if remote, commit, below, ok := d.Git(); ok {
		table := fmt.Sprintf("type = \"git\", url = %s, commit-id = %s", quote(remote), quote(commit))
		if below != "" {
			table += ", subdirectory = " + quote(below)
		}
		return fmt.Sprintf("vcs = { %s }\n", table)
	}
	where := "url = " + quote(d.URL)
	if local, ok := d.Local(); ok {
		where = "path = " + quote(local)
	}
	file := fmt.Sprintf("{ name = %s, %s, size = %d, hashes = { sha256 = %s } }", quote(d.File), where, d.Size, quote(d.SHA256))
	if d.IsWheel() {
		return fmt.Sprintf("wheels = [\n  %s,\n]\n", file)
	}
	return fmt.Sprintf("sdist = %s\n", file)
}
