package requirements

import (
	"fmt"
	"slices"
	"strings"
)

// fragment is what stands behind the # of a URL: pip's egg and subdirectory,
// and the hash of an archive
// (https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references).
type fragment struct {
	project      project
	subdirectory string
	hash         string // "sha256=…"
}

// String writes the parts but the project, whose place is before the URL.
func (f fragment) String() string {
	var parts []string
	if f.hash != "" {
		parts = append(parts, f.hash)
	}
	if f.subdirectory != "" {
		parts = append(parts, "subdirectory="+f.subdirectory)
	}
	if len(parts) == 0 {
		return ""
	}
	return "#" + strings.Join(parts, "&")
}

func parseFragment(text string) (fragment, error) {
	var f fragment
	if text == "" {
		return f, nil
	}
	var seen []string
	for part := range strings.SplitSeq(text, "&") {
		key, value, _ := strings.Cut(part, "=")
		if slices.Contains(seen, key) {
			return f, fmt.Errorf("the URL's fragment has two %s", quote(key))
		}
		seen = append(seen, key)
		if err := f.set(key, value); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *fragment) set(key, value string) (err error) {
	switch key {
	case "egg":
		s := &scanner{text: value}
		if f.project, err = s.project(); err == nil && !s.done() {
			err = fmt.Errorf("%s is not the name of a project", quote(value))
		}
	case "subdirectory":
		f.subdirectory, err = subdirectory(value)
	case "sha256", "sha384", "sha512":
		f.hash, err = hash(key + ":" + value)
		f.hash = strings.Replace(f.hash, ":", "=", 1)
	case "md5", "sha1", "sha224":
		err = fmt.Errorf("%s vouches for nothing, write #sha256=…", key)
	default:
		known := []string{"egg", "subdirectory", "sha256", "sha384", "sha512"}
		err = fmt.Errorf("unknown part %s of the URL's fragment%s", quote(key), didYouMean(key, known))
	}
	return err
}

// subdirectory checks the folder of a project inside its archive or repository.
func subdirectory(s string) (string, error) {
	clean, err := plainLocal(".", s)
	if err != nil {
		return "", fmt.Errorf("subdirectory %s is not a plain path below the root of what it is in", quote(s))
	}
	if clean == "." {
		return "", nil
	}
	return clean, nil
}
