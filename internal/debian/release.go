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

// Release is the content of a signed index.
type Release struct {
	Repository string
	Suite      string // as requested; a flat path ends in "/"
	Text       []byte // the signed text
	SHA256     string // of the InRelease as served
	Signers    []string

	Origin        string   // the publisher; its Label if there is no Origin
	Names         []string // the index's Suite and Codename
	Date          time.Time
	ValidUntil    time.Time // zero: forever
	Components    []string  // without "updates/"
	Architectures []string
	ByHash        bool
	NoSeparateAll bool // Packages of an architecture include those for all
	NotAutomatic  bool // apt takes a package from here only on request
	Files         map[string]File
}

// Flat reports whether the repository has no dists, suites and components.
func (r Release) Flat() bool { return strings.HasSuffix(r.Suite, "/") }

// Dir returns the directory of the index, relative to the repository.
func (r Release) Dir() string { return suiteDir(r.Suite) }

func suiteDir(suite string) string {
	if strings.HasSuffix(suite, "/") {
		return path.Clean(suite)
	}
	return "dists/" + suite
}

// parseRelease parses the text of an index.
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
		return Release{}, fmt.Errorf("it has neither a SHA256 nor a SHA512 list, and weaker hashes are not accepted")
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
		r.ByHash = boolean(value, false)
	case "No-Support-for-Architecture-all":
		r.NoSeparateAll = value == "Packages"
	case "NotAutomatic":
		r.NotAutomatic = boolean(value, false)
	}
	return err
}

// boolean reads a value as apt does (StringToBool); otherwise is that of other words.
func boolean(value string, otherwise bool) bool {
	switch strings.ToLower(value) {
	case "0", "no", "false", "without", "off", "disable":
		return false
	case "1", "yes", "true", "with", "on", "enable":
		return true
	}
	return otherwise
}

// addFile parses a line of hash, size and path.
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

// hexadecimal returns a hash of size bytes in lower case.
func hexadecimal(s string, size int) (string, error) {
	if data, err := hex.DecodeString(s); err != nil || len(data) != size {
		return "", fmt.Errorf("%q is not a hash of %d hexadecimal digits", s, 2*size)
	}
	return strings.ToLower(s), nil
}

// parseDate parses a date in the format of RFC 1123, which some write with a one-digit day, and
// returns it in UTC.
func parseDate(key, value string) (time.Time, error) {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 MST", "Mon, _2 Jan 2006 15:04:05 -0700", "Mon Jan _2 15:04:05 2006"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %q is not a date", key, value)
}

// check rejects a genuine index that is not the requested one: that of another suite, or one so
// old that it may withhold fixes.
func (r Release) check(subject string, now time.Time, anyAge bool) error {
	if !r.Flat() && len(r.Names) > 0 && !slices.Contains(r.Names, r.Suite) {
		return failure.WithHint(
			fmt.Errorf("%s: it is the index of the suite %s", subject, strings.Join(slices.Compact(r.Names), " or ")),
			"check the mirror's URL: it serves another suite instead of this one",
		)
	}
	if !anyAge && !r.ValidUntil.IsZero() && now.After(r.ValidUntil) {
		return failure.WithHint(
			fmt.Errorf("%s: it expired on %s", subject, r.ValidUntil.Format(time.RFC1123)),
			"the mirror is no longer updated: choose another with --debian-mirror; or this machine's clock is wrong; "+
				"for an archive of the past, write check-valid-until = false under [debian]",
		)
	}
	return nil
}

// hashLists are the fields of a Release that list files.
var hashLists = []string{"MD5Sum", "SHA1", "SHA256", "SHA512"}

// Listing returns the text of r with its list of files replaced by others, whose names are
// relative to the index.
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
