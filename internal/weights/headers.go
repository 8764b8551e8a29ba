package weights

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
)

// nearby is the length of file content to read through rather than start another request
// behind it: about what arrives while a request is on its way.
const nearby = 128 << 10

// check reads the parts of a layer's tar that aren't file content and compares them with
// the plan. Each header has its size, so the bytes between two of them are content and
// nothing else, whatever they are: there is no entry elsewhere. A layer that was made or
// checked before is known by its digest.
func (l *Layer) check(ctx context.Context, d digest.Digest, known journal, from blobs) error {
	key := l.key()
	switch made := known.digest(key); {
	case made == d:
		return nil
	case made != "":
		return failure.New(failure.Findings, fmt.Errorf("its digest is %s, but the same files produced %s here", d, made))
	case known.digest(checked(key)) == d:
		return nil
	}
	if err := l.checkHeaders(ctx, d, from); err != nil || known.open() != nil { // without the directory nothing is remembered
		return err
	}
	return known.learn(checked(key), d)
}

// checkHeaders compares the ranges, the first one alone: if the answer to that is the whole
// layer, so would be all others.
func (l *Layer) checkHeaders(ctx context.Context, d digest.Digest, from blobs) error {
	stretches := l.stretches()
	if all, err := l.checkStretch(ctx, d, from, stretches[0]); err != nil || all {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, s := range stretches[1:] {
		group.Go(func() error {
			_, err := l.checkStretch(ctx, d, from, s)
			return err
		})
	}
	return group.Wait()
}

// checkStretch compares a range, or the whole layer if that is the answer.
func (l *Layer) checkStretch(ctx context.Context, d digest.Digest, from blobs, s stretch) (all bool, err error) {
	var lied error
	err = from.ReadRange(ctx, d, s.from, s.to, func(r io.Reader, whole bool) error {
		at := s
		if all = whole; whole {
			at = stretch{0, l.Size}
		}
		problem := l.compare(r, at.from, at.to)
		if lied = nil; failure.KindOf(problem) == failure.Findings {
			lied, problem = problem, nil // a finding is not an error of the read
		}
		return problem
	})
	return all, errors.Join(err, lied)
}

// checked is the journal's key for a layer whose headers were checked, but not its
// content.
func checked(key digest.Digest) digest.Digest { return digest.FromString("headers of " + key.String()) }

// stretch is a range of a layer.
type stretch struct{ from, to int64 }

// stretches returns the ranges of a layer to read: all that isn't file content, and short
// file content in between. The first begins with the layer, the last ends with it.
func (l *Layer) stretches() (list []stretch) {
	for i, p := range l.Parts {
		if p.File != "" {
			continue
		}
		next := stretch{l.starts[i], l.starts[i] + p.Size}
		if last := len(list) - 1; last >= 0 && next.from-list[last].to <= nearby {
			list[last].to = next.to
			continue
		}
		list = append(list, next)
	}
	return list
}

// compare reads a range of the layer and returns where it differs from the plan.
func (l *Layer) compare(r io.Reader, from, to int64) error {
	for p := range l.pieces(from, to) {
		if p.part.File != "" {
			if _, err := io.CopyN(io.Discard, r, p.size); err != nil {
				return short(err, from+p.at)
			}
			continue
		}
		want := p.part.Bytes[p.offset : p.offset+p.size]
		got := make([]byte, len(want))
		n, err := io.ReadFull(r, got)
		if !bytes.Equal(got[:n], want[:n]) {
			begin := from + p.at
			return failure.New(failure.Findings, unlike(got[:n], want, int(-begin&(blockSize-1))))
		}
		if err != nil {
			return short(err, from+p.at)
		}
	}
	return nil
}

// short treats an answer that ends too early as another blob; a broken connection may be
// retried.
func short(err error, at int64) error {
	if failure.KindOf(err) != failure.Transient && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return failure.New(failure.Findings, fmt.Errorf("it ends after byte %d", at))
	}
	return err
}

const blockSize = 512 // of a tar

// unlike describes how a range of a tar, whose first header is at an offset, differs from
// that of the plan, by the name of an entry if there is one.
func unlike(got, want []byte, offset int) error {
	offset = min(offset, len(got), len(want))
	have, planned := entries(got[offset:]), entries(want[offset:])
	for i, h := range have {
		switch {
		case i >= len(planned):
			return fmt.Errorf("it has %q, which is not in the plan", h.Name)
		case h.Name != planned[i].Name:
			return fmt.Errorf("it has %q where the plan has %q", h.Name, planned[i].Name)
		}
		if diff := differences(h, planned[i]); diff != "" {
			return fmt.Errorf("%q has %s", h.Name, diff)
		}
	}
	if len(have) < len(planned) {
		return fmt.Errorf("the header of %q is missing", planned[len(have)].Name)
	}
	return errors.New("the bytes between its files differ from the plan")
}

// entries returns the consecutive headers at the start of a range.
func entries(data []byte) (list []*tar.Header) {
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err != nil { // ends at the content of a file, which is not here
			return list
		}
		list = append(list, h)
	}
}

// differences lists how two headers of one name differ.
func differences(got, want *tar.Header) string {
	facts := func(h *tar.Header) []string {
		return []string{
			fmt.Sprintf("the type %q", h.Typeflag), fmt.Sprintf("%d bytes", h.Size), fmt.Sprintf("the mode %04o", h.Mode),
			fmt.Sprintf("the owner %d:%d", h.Uid, h.Gid), fmt.Sprintf("the owner's name %q:%q", h.Uname, h.Gname),
			fmt.Sprintf("the time %s", h.ModTime.UTC()), fmt.Sprintf("the link %q", h.Linkname),
			fmt.Sprintf("the device %d:%d", h.Devmajor, h.Devminor), fmt.Sprintf("the attributes %q", h.PAXRecords),
		}
	}
	var list []string
	planned := facts(want)
	for i, fact := range facts(got) {
		if fact != planned[i] {
			list = append(list, fact+" and not "+planned[i])
		}
	}
	return strings.Join(list, ", ")
}
