package debian

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"lamina.build/internal/failure"
)

// Release is what a signed index says.
type Release struct {
	Repository string
	Suite      string // as asked for; a flat path ends in "/"
	Text       []byte // what was signed
	SHA256     string // of the InRelease as served
	Signers    []string

	Origin        string   // who publishes it, in its own words; its Label where there is no Origin
	Names         []string // Suite and Codename as the index has them
	Date          time.Time
	ValidUntil    time.Time // zero: for ever
	Components    []string  // without "updates/"
	Architectures []string
	ByHash        bool
	NoSeparateAll bool // Packages of an architecture hold those for all as well
	NotAutomatic  bool // apt takes a package from here only when asked to
	Files         map[string]File
}

// Flat tells a repository without dists, suites and components.
func (r Release) Flat() bool { return strings.HasSuffix(r.Suite, "/") }

// Dir returns the directory of the index, relative to the repository.
func (r Release) Dir() string { return suiteDir(r.Suite) }

func suiteDir(suite string) string {
	if strings.HasSuffix(suite, "/") {
		return path.Clean(suite)
	}
	return "dists/" + suite
}

// parseRelease reads the text of an index.
func parseRelease(text []byte) (Release, error) {
	r := Release{Text: text, Files: map[string]File{}}
	section := ""
	for line := range bytes.Lines(text) {
		s := strings.TrimRight(string(line), " \r\n")
		if strings.HasPrefix(s, " ") {
			if section == "SHA256" || section == "SHA512" {
				if err := r.addFile(section, s); err != nil {
					return Release{}, err
				}
			}
			continue
		}
		key, value, _ := strings.Cut(s, ":")
		section = key
		if err := r.setField(key, strings.TrimSpace(value)); err != nil {
			return Release{}, err
		}
	}
	if r.Date.IsZero() {
		return Release{}, fmt.Errorf("no Date in it")
	}
	if len(r.Files) == 0 {
		return Release{}, fmt.Errorf("it has neither a SHA256 nor a SHA512 list, and weaker hashes are not taken")
	}
	return r, nil
}

func (r *Release) setField(key, value string) (err error) {
	switch key {
	case "Origin":
		r.Origin = value
	case "Label":
		r.Origin = cmp.Or(r.Origin, value)
	case "Suite", "Codename":
		r.Names = append(r.Names, value)
	case "Date":
		r.Date, err = parseDate(key, value)
	case "Valid-Until":
		r.ValidUntil, err = parseDate(key, value)
	case "Components":
		for c := range strings.FieldsSeq(value) {
			// The security archive says updates/main and keeps it under main.
			r.Components = append(r.Components, strings.TrimPrefix(c, "updates/"))
		}
	case "Architectures":
		r.Architectures = strings.Fields(value)
	case "Acquire-By-Hash":
		r.ByHash = value == "yes"
	case "No-Support-for-Architecture-all":
		r.NoSeparateAll = value == "Packages"
	case "NotAutomatic":
		r.NotAutomatic = value == "yes"
	}
	return err
}

// addFile reads a line of hash, size and path.
func (r *Release) addFile(algorithm, line string) error {
	f := strings.Fields(line)
	if len(f) != 3 {
		return fmt.Errorf("%q is not a hash, a size and a path", line)
	}
	size, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || size < 0 {
		return fmt.Errorf("%q is not a size", f[1])
	}
	name := path.Clean(f[2])
	file := r.Files[name] // of the other list, if it comes first
	file.Size = size
	if algorithm == "SHA512" {
		file.SHA512, err = hexadecimal(f[0], sha512.Size)
	} else {
		file.SHA256, err = hexadecimal(f[0], sha256.Size)
	}
	r.Files[name] = file
	return err
}

// hexadecimal returns a hash of so many bytes in lower case.
func hexadecimal(s string, size int) (string, error) {
	if data, err := hex.DecodeString(s); err != nil || len(data) != size {
		return "", fmt.Errorf("%q is not a hash of %d hexadecimal digits", s, 2*size)
	}
	return strings.ToLower(s), nil
}

// parseDate reads a date as RFC 1123 has it, which some write with a one-digit
// day, and which is always in UTC here.
func parseDate(key, value string) (time.Time, error) {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 MST", "Mon, _2 Jan 2006 15:04:05 -0700", "Mon Jan _2 15:04:05 2006"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %q is not a date", key, value)
}

// check refuses an index that is genuine and yet not the one asked for: that of
// another suite, or one so old that fixes may be withheld.
func (r Release) check(subject string, now time.Time, anyAge bool) error {
	if !r.Flat() && len(r.Names) > 0 && !slices.Contains(r.Names, r.Suite) {
		return failure.WithHint(
			fmt.Errorf("%s: it is the index of the suite %s", subject, strings.Join(slices.Compact(r.Names), " or ")),
			"check the mirror's URL: it serves another suite in the place of this one",
		)
	}
	if !anyAge && !r.ValidUntil.IsZero() && now.After(r.ValidUntil) {
		return failure.WithHint(
			fmt.Errorf("%s: it expired on %s", subject, r.ValidUntil.Format(time.RFC1123)),
			"the mirror is no longer updated: take another with --debian-mirror; or this machine's clock is wrong; "+
				"check-valid-until = false under [debian] takes an archive of the past as it is",
		)
	}
	return nil
}

// hashLists are the fields of a Release that list files.
var hashLists = []string{"MD5Sum", "SHA1", "SHA256", "SHA512"}

// Listing is the text of r with other files in the place of those that it lists. Their names
// are relative to the index.
func (r Release) Listing(files map[string][]byte) []byte {
	var out bytes.Buffer
	keep := true
	for line := range bytes.Lines(r.Text) {
		if isBlank(line) {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			key, _, _ := bytes.Cut(line, []byte(":"))
			keep = !slices.Contains(hashLists, string(key))
		}
		if keep {
			out.Write(bytes.TrimRight(line, "\r\n"))
			out.WriteString("\n")
		}
	}
	out.WriteString("SHA256:\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&out, " %x %d %s\n", sha256.Sum256(files[name]), len(files[name]), name)
	}
	return out.Bytes()
}
