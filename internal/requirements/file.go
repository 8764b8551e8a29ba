package requirements

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"lamina.build/internal/fault"
)

// maxSize bounds what is read of a file: 10,000 items with all their hashes are 5 MB.
const maxSize = 16 << 20

// top reads a file that the spec names.
func (r *reader) top(name string, constraint bool) {
	clean, err := below(".", name)
	if err == nil {
		err = r.file(clean, constraint)
	}
	r.faults.add(name, 0, err)
}

// include reads the file of -r or -c, which is relative to the including one.
func (r *reader) include(l line, name string, constraint bool) error {
	clean, err := below(path.Dir(l.file), name)
	if err != nil {
		return fmt.Errorf("%s %w", quote(name), err)
	}
	if err := r.file(clean, constraint); err != nil {
		return fmt.Errorf("%q %w", clean, err)
	}
	return nil
}

// below finds a file from the folder of another one. The error lacks its
// subject: the name.
func below(folder, name string) (string, error) {
	const copied = "keep a copy of it in the folder of image.toml"
	if hasScheme(name) {
		return "", fault.WithHint(errors.New("is a URL, want a file"), copied)
	}
	clean, err := local(folder, name)
	return clean, fault.WithHint(err, copied)
}

// file reads a file once: the second time, also in a loop, adds nothing. The
// error says why it can't be read; faults of its lines are kept by themselves.
func (r *reader) file(name string, constraint bool) error {
	src := source{name, constraint}
	if r.files[src] {
		return nil
	}
	r.files[src] = true
	text, err := readText(r.FS, name)
	if err != nil {
		return err
	}
	if at := brokenLine(text); at > 0 {
		err := fault.WithHint(errors.New("the text is not UTF-8"), "save the file in the encoding UTF-8")
		r.faults.add(name, at, err)
		return nil
	}
	for l := range lines(src, text) {
		r.line(l)
	}
	return nil
}

func readText(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", explain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", explain(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("is not a file")
	}
	var text strings.Builder
	text.Grow(int(min(info.Size(), maxSize)))
	if _, err := io.Copy(&text, io.LimitReader(f, maxSize+1)); err != nil {
		return "", explain(err)
	}
	if text.Len() > maxSize {
		return "", fmt.Errorf("holds more than %d MB", maxSize>>20)
	}
	return strings.TrimPrefix(text.String(), "\uFEFF"), nil
}

// explain says what keeps a file from being used, without its name, which
// stands before it.
func explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("does not exist")
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return fmt.Errorf("can't be read: %w", err)
}

// brokenLine returns the first line that is not UTF-8, 0 where all are.
func brokenLine(text string) int {
	for number, one := range physical(text) {
		if !utf8.ValidString(one) {
			return number
		}
	}
	return 0
}
