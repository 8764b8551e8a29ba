package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// local checks the path of a file or directory next to image.toml. It may end in
// a slash or start with ./, which the canonical form omits.
func local(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", err
	}
	if path.IsAbs(s) {
		return "", fmt.Errorf("%q is absolute, want a path from the directory of image.toml", s)
	}
	clean := path.Clean(s)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%q leads out of the directory of image.toml", s)
	}
	return clean, nil
}

// absolute checks a path inside the image.
func absolute(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", err
	}
	if !path.IsAbs(s) {
		return "", fmt.Errorf("%q is relative, want a path from the root of the image", s)
	}
	if clean := path.Clean(s); clean != s {
		return "", fmt.Errorf("%q is not clean, write %q", s, clean)
	}
	return s, nil
}

// target checks a directory of the image that a layer fills. A container runtime must
// not mount over it, and it must not be a symbolic link in Debian: a layer with a real
// directory there would break every program.
func target(s string) (string, error) {
	if _, err := absolute(s); err != nil {
		return "", err
	}
	top, _, _ := strings.Cut(s[1:], "/")
	switch {
	case s == "/":
		return "", fmt.Errorf("%q is the root of the image, want a directory below it", s)
	case slices.Contains([]string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}, top):
		return "", fmt.Errorf("%q is below a symbolic link in Debian, write %q", s, "/usr"+s)
	case slices.Contains([]string{"proc", "sys", "dev", "run"}, top):
		return "", fmt.Errorf("%q is below /%s, which is mounted when the image runs", s, top)
	}
	return s, nil
}

// volume checks a directory of the image that is a volume.
func volume(s string) (string, error) {
	if _, err := absolute(s); err != nil {
		return "", err
	}
	top, _, _ := strings.Cut(s[1:], "/")
	if slices.Contains([]string{"", "proc", "sys", "dev"}, top) {
		return "", fmt.Errorf("%q can't be a volume: it is /, or mounted when the image runs", s)
	}
	return s, nil
}

// plain rejects characters that no path should hold.
func plain(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%q is not a path", s)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%q holds a control character", s)
	case strings.Contains(s, `\`):
		return fmt.Errorf("%q holds a backslash, paths are written with /", s)
	}
	return nil
}

// glob checks a pattern for paths below some directory.
func glob(s string) (string, error) {
	if err := globbing(s); err != nil {
		return "", err
	}
	if path.IsAbs(s) || slices.Contains(strings.Split(s, "/"), "..") {
		return "", fmt.Errorf("%q is not a pattern for paths below the directory", s)
	}
	for part := range strings.SplitSeq(s, "/") {
		if _, err := path.Match(part, "x"); err != nil {
			return "", fmt.Errorf("%q is not a pattern: a [ is not closed", s)
		}
	}
	return s, nil
}

// imageGlob checks a pattern for paths of the image; a leading ! takes back what earlier
// ones exclude. Only *, ** and ? mean the same to dpkg, a .dockerignore and a shell.
func imageGlob(s string) (string, error) {
	bare := strings.TrimPrefix(s, "!")
	if err := globbing(bare); err != nil {
		return "", err
	}
	if strings.Contains(s, "[") {
		return "", fmt.Errorf("%q holds a [, want only *, ** and ?", s)
	}
	if clean := path.Clean(bare); !path.IsAbs(bare) || clean != bare || clean == "/" {
		return "", fmt.Errorf("%q is not a pattern for clean paths from the root of the image", s)
	}
	return s, nil
}

// keptGlob checks a pattern for keys that stay, which can't be negated.
func keptGlob(s string) (string, error) {
	if strings.HasPrefix(s, "!") {
		return "", fmt.Errorf("%q begins with !, but there is nothing to take back; name what stays", s)
	}
	return imageGlob(s)
}

// elfIgnored checks the name of a library, or a pattern for files that require libraries.
func elfIgnored(s string) (string, error) {
	if strings.HasPrefix(s, "/") {
		return imageGlob(s)
	}
	return soname(s)
}

func globbing(s string) error {
	if err := plain(s); err != nil {
		return err
	}
	for part := range strings.SplitSeq(s, "/") {
		if strings.Contains(part, "**") && part != "**" {
			return fmt.Errorf("%q has ** next to other characters; only ** by itself spans directories", s)
		}
	}
	return nil
}

// prune checks a pattern of files to leave out of wheels; a leading ! takes back what
// earlier ones leave out.
func prune(s string) (string, error) {
	_, err := siteGlob(strings.TrimPrefix(s, "!"))
	return s, err
}

// siteGlob checks a pattern for paths below site-packages, or below /usr/local
// for other files. It has the syntax of [imageGlob].
func siteGlob(s string) (string, error) {
	if strings.Contains(s, "[") {
		return "", fmt.Errorf("%q holds a [, want only *, ** and ?", s)
	}
	return glob(s)
}
