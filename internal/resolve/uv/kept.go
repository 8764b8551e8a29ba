package uv

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"lamina.build/internal/atomicfile"
)

// What wheels hold is kept between resolves, by the address and sha256 of each: a lock that is
// made anew looks into those that are new to it alone.

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// keptFormat is part of the name of what is kept: another one is read by nobody.
const keptFormat = "3"

func (o Options) keptPath(d *distribution) string {
	sum := d.Hashes["sha256"]
	if o.CacheDir == "" || !hexSHA256.MatchString(sum) {
		return ""
	}
	at := sha256.Sum256([]byte(d.URL + "#" + sum)) // an index may lie about sha256
	return filepath.Join(o.CacheDir, keptFormat, hex.EncodeToString(at[:])+".json")
}

// kept returns what a wheel holds, nil where that has to be looked up. What can't
// be read is looked up.
func (o Options) kept(d *distribution) *wheel {
	name := o.keptPath(d)
	if name == "" || d.Kind != kindWheel {
		return nil
	}
	data, err := os.ReadFile(name) //nolint:gosec // a file of the cache folder
	if err != nil {
		return nil
	}
	var w wheel
	if json.Unmarshal(data, &w) != nil || w.Metadata == "" || w.Name == "" {
		return nil
	}
	return &w
}

func (o Options) keep(d *distribution) error {
	name := o.keptPath(d)
	if name == "" {
		return nil
	}
	data, err := json.Marshal(d.wheel)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("keeping what %s holds: %w", d.File, err)
	}
	return atomicfile.Write(name, data, 0o644)
}
