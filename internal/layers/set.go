package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// SetDigest identifies a set of files by their contents (path → sha256), however
// they are divided into layers: it is the sha256 of the sorted lines
// "SHA256  PATH\n", which is the output of sha256sum.
func SetDigest(sums map[string]digest.Digest) digest.Digest {
	lines := make([]string, 0, len(sums))
	for path, sum := range sums {
		lines = append(lines, sum.Encoded()+"  "+path+"\n")
	}
	slices.Sort(lines)
	return digest.FromString(strings.Join(lines, ""))
}

// Sums hashes the files of fsys that the patterns select, by their paths there.
func Sums(ctx context.Context, fsys fs.FS, include, exclude []string) (map[string]digest.Digest, error) {
	found, err := scan(fsys, "/", include, exclude, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("hashing files: %w", err)
	}
	sums := map[string]digest.Digest{}
	for _, e := range found {
		if e.kind != file {
			continue
		}
		if sums[e.name], err = sum(ctx, e); err != nil {
			return nil, fmt.Errorf("hashing %q: %w", e.name, err)
		}
	}
	return sums, nil
}

func sum(ctx context.Context, e entry) (_ digest.Digest, err error) {
	r, err := e.open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	d := digest.Canonical.Digester()
	_, err = io.Copy(d.Hash(), &reader{ctx: ctx, r: r})
	return d.Digest(), err
}
