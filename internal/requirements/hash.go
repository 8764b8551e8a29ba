package requirements

import (
	"fmt"
	"slices"
	"strings"
)

// hash checks ALGORITHM:DIGEST as pip knows it
// (https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode).
func hash(text string) (string, error) {
	text = strings.ToLower(text)
	algorithm, digest, _ := strings.Cut(text, ":")
	size := digestSize(algorithm)
	if size == 0 {
		return "", fmt.Errorf("%s is not a hash that pip trusts, write sha256:…", quote(text))
	}
	if len(digest) != size || strings.Trim(digest, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%s is not a hash: %s has %d hexadecimal digits", quote(text), algorithm, size)
	}
	return text, nil
}

func digestSize(algorithm string) int {
	switch algorithm {
	case "sha256":
		return 64
	case "sha384":
		return 96
	case "sha512":
		return 128
	}
	return 0
}

// hashes reads the options of an item, which may only be hashes, and returns
// them in canonical form and order.
func (r *reader) hashes(l line, given []setting) []string {
	var list []string
	for _, s := range given {
		if s.long != "--hash" {
			r.fault(l, misplaced(r, l, s))
			continue
		}
		h, err := hash(s.value)
		r.fault(l, about("--hash", err))
		list = append(list, " --hash="+h)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// misplaced says why an option can't stand behind an item.
func misplaced(r *reader, l line, s setting) error {
	if s.stop {
		return s.apply(r, l, s.value)
	}
	return fmt.Errorf("%s stands behind a requirement, where pip ignores it", s.long)
}
