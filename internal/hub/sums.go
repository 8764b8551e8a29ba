package hub

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// parseSums reads what sha256sum prints: 64 hexadecimal digits, a space, a space
// or a star, and a path. Empty lines and those that begin with "#" are
// none. Every line that is wrong is reported, after name and its number.
func parseSums(name string, text []byte) ([]File, error) {
	var files []File
	var faults []error
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
		number++
		row := strings.TrimRight(string(line), "\r\n")
		if row == "" || row[0] == '#' {
			continue
		}
		f, err := parseSum(row)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, number, err))
			continue
		}
		files = append(files, f)
	}
	return files, errors.Join(faults...)
}

func parseSum(row string) (File, error) {
	if row[0] == '\\' { // GNU's way to write names with newlines and backslashes
		return File{}, errors.New("a path with a newline or a backslash in it")
	}
	const digits = 64
	if len(row) < digits+3 || row[digits] != ' ' || row[digits+1] != ' ' && row[digits+1] != '*' {
		return File{}, errors.New("not a line of sha256sum: 64 hexadecimal digits, two spaces and a path")
	}
	f := File{SHA256: strings.ToLower(row[:digits]), Path: strings.TrimPrefix(row[digits+2:], "./")}
	if !sha256Hex.MatchString(f.SHA256) {
		return File{}, fmt.Errorf("%q is not a SHA-256", row[:digits])
	}
	if reason := unfit(f.Path); reason != "" {
		return File{}, &PathError{Path: f.Path, Reason: reason}
	}
	return f, nil
}
