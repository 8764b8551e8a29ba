package mutate

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The status of a mutant. A timeout counts as killed, and a mutant that doesn't compile
// counts neither way.
const (
	killed   = "killed"
	survived = "survived"
	timeout  = "timeout"
	invalid  = "invalid"
)

// Result is the result of a mutant: a line of the journal.
type Result struct {
	ID      string   `json:"id"`
	Status  string   `json:"status"` // killed, survived, timeout or invalid
	By      string   `json:"by,omitempty"`
	Test    string   `json:"test,omitempty"` // the first that failed
	Where   string   `json:"where"`          // file:line
	Diff    string   `json:"diff"`
	Seconds float64  `json:"seconds"`
	Ran     []string `json:"ran"`   // the packages whose tests ran
	State   string   `json:"state"` // digest of their files: the result is void once it changes
}

func (r Result) write(w io.Writer) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// readJournal returns the results that hold for the current code.
func (w *world) readJournal(name string) (map[string]Result, error) {
	known := map[string]Result{}
	f, err := os.Open(name) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r Result
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // cut off in the middle of the line
		}
		if state, err := w.state(r); err == nil && state == r.State {
			known[r.ID] = r
		}
	}
	return known, nil
}

// state returns a digest of the files and tests of the packages that ran.
func (w *world) state(r Result) (string, error) {
	h := sha256.New()
	for _, path := range r.Ran {
		p, ok := w.packages[path]
		if !ok {
			return "", fmt.Errorf("no package %s", path)
		}
		names := slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles, p.EmbedFiles)
		_ = filepath.WalkDir(filepath.Join(p.Dir, "testdata"), func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				name, err = filepath.Rel(p.Dir, name)
				names = append(names, name)
			}
			return err
		})
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(p.Dir, name)) //nolint:gosec // a file of the module
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s/%s %x\n", path, name, sha256.Sum256(data))
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// readReasons reads the equivalent mutants: each line has an ID, a space and the reason.
// Lines that begin with # are comments.
func readReasons(name string) (map[string]string, error) {
	data, err := os.ReadFile(name) //nolint:gosec // the user says which
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	n := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		id, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			return nil, fmt.Errorf("%s:%d: %s has no reason", name, n, id)
		}
		reasons[id] = reason
	}
	return reasons, nil
}
