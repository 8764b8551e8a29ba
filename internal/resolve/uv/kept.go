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

// kept returns what a wheel holds, nil where that has to be looked up.
func (o Options) kept(d *distribution) *wheel {
	var w wheel
	name := o.keptPath(d)
	if name == "" || d.Kind != kindWheel || !readKept(name, &w) || w.Metadata == "" || w.Name == "" {
		return nil
	}
	return &w
}

func (o Options) keep(d *distribution) error {
	name := o.keptPath(d)
	if name == "" {
		return nil
	}
	if err := keep(name, d.wheel); err != nil {
		return fmt.Errorf("keeping what %s holds: %w", d.File, err)
	}
	return nil
}

// readKept reads what was kept. What can't be read is found out anew.
func readKept(name string, into any) bool {
	data, err := os.ReadFile(name) //nolint:gosec // a file of the cache folder
	return err == nil && json.Unmarshal(data, into) == nil
}

func keep(name string, value any) error {
	data, err := json.Marshal(value)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o700)
	}
	if err != nil {
		return err
	}
	return atomicfile.Write(name, data, 0o644)
}
