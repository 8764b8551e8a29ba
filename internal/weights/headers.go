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

// nearby is how much of a file is read rather than asking for what is behind it apart:
// about what comes while a question is on its way.
const nearby = 128 << 10

// check reads what of a layer's tar is no file's content and compares it with the plan.
// Each header has its size, so the bytes between two of them are content and nothing
// else, whatever they are: there is no entry elsewhere. A layer that was made or looked
// at before is known by its digest.
func (l *Layer) check(ctx context.Context, d digest.Digest, known journal, from blobs) error {
	key := l.key()
	switch made := known.digest(key); {
	case made == d:
		return nil
	case made != "":
		return failure.New(failure.Findings, fmt.Errorf("its digest is %s, and the same files made %s here", d, made))
	case known.digest(checked(key)) == d:
		return nil
	}
	if err := l.checkHeaders(ctx, d, from); err != nil || known.open() != nil { // without the directory nothing is remembered
		return err
	}
	return known.learn(checked(key), d)
}

// checkHeaders compares the stretches, the first one alone: where it brings the whole
// layer, no other question would bring less.
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

// checkStretch compares a stretch, or all of the layer where that is what comes.
func (l *Layer) checkStretch(ctx context.Context, d digest.Digest, from blobs, s stretch) (all bool, err error) {
	var lied error
	err = from.ReadRange(ctx, d, s.from, s.to, func(r io.Reader, whole bool) error {
		if all = whole; whole {
			s = stretch{0, l.Size}
		}
		problem := l.compare(r, s.from, s.to)
		if lied = nil; failure.KindOf(problem) == failure.Findings {
			lied, problem = problem, nil // what was read is no matter of how
		}
		return problem
	})
	return all, errors.Join(err, lied)
}

// checked is what a journal knows a layer by whose headers were looked at, and whose
// content was not.
func checked(key digest.Digest) digest.Digest { return digest.FromString("headers of " + key.String()) }

// stretch is a part of a layer.
type stretch struct{ from, to int64 }

// stretches are what is read of a layer: all that is no file's content, and what of
// that lies between and is short. The first begins with the layer, the last ends with it.
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

// compare reads a stretch of the layer and says where it isn't as the plan has it.
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

// short has an answer that ends too early be one of another blob; a connection that
// broke may not break again.
func short(err error, at int64) error {
	if failure.KindOf(err) != failure.Transient && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return failure.New(failure.Findings, fmt.Errorf("it ends after byte %d", at))
	}
	return err
}

const blockSize = 512 // of a tar

// unlike says how a stretch of a tar, whose first header is at an offset, differs from
// that of the plan, by the name of an entry where there is one.
func unlike(got, want []byte, offset int) error {
	offset = min(offset, len(got), len(want))
	have, planned := entries(got[offset:]), entries(want[offset:])
	for i, h := range have {
		switch {
		case i >= len(planned):
			return fmt.Errorf("it has %q, which the plan has not", h.Name)
		case h.Name != planned[i].Name:
			return fmt.Errorf("it has %q where the plan has %q", h.Name, planned[i].Name)
		}
		if diff := differences(h, planned[i]); diff != "" {
			return fmt.Errorf("%q has %s", h.Name, diff)
		}
	}
	if len(have) < len(planned) {
		return fmt.Errorf("there is no header of %q", planned[len(have)].Name)
	}
	return errors.New("what lies between its files is not as the plan has it")
}

// entries are the headers that a stretch has one after the other.
func entries(data []byte) (list []*tar.Header) {
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err != nil { // the content of a file, which is not here, ends it
			return list
		}
		list = append(list, h)
	}
}

// differences are what two headers of one name don't have in common.
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
