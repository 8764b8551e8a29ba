package weights_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	realhub "lamina.build/internal/hub"
	"lamina.build/internal/layout"
	"lamina.build/internal/solve"
	"lamina.build/internal/weights"
	"lamina.build/llb"
)

// files answers each request with a status, and a success with the requested
// byte.
type files func() int

func (f files) RoundTrip(r *http.Request) (*http.Response, error) {
	code := f()
	header := http.Header{}
	if code == http.StatusPartialContent {
		header.Set("Content-Range", "bytes 0-0/3000")
	}
	return &http.Response{
		StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader("x")), ContentLength: 1, Request: r,
	}, nil
}

// made is what an engine writes to the layout: the layers under its own manifest.
func made(t *testing.T, l *layout.Layout, image weights.Image, tag string) ocispec.Descriptor {
	t.Helper()
	have, err := l.Read(t.Context(), tag)
	must(t, err)
	have.Manifest.Annotations = map[string]string{"made.by": "an engine"}
	data, err := json.Marshal(have.Manifest)
	must(t, err)
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(data), Size: int64(len(data))}
	must(t, content.WriteBlob(t.Context(), l.Store(), "made", bytes.NewReader(data), desc))
	if desc.Digest == image.Manifest.Digest {
		t.Fatal("the engine's manifest is ours")
	}
	return desc
}

func TestMakeKeepsTheLayers(t *testing.T) {
	t.Parallel()
	j := scaled(t, model(t, "a.bin 1100000", "b.bin 5"), &hub{})
	for _, ours := range []bool{false, true} {
		o := into(t, j)
		image, err := weights.Pull(t.Context(), o)
		must(t, err)
		l, err := layout.Open(t.Context(), o.Dir)
		must(t, err)
		defer l.Close()
		desc := image.Manifest
		if !ours {
			desc = made(t, l, image, o.Tag)
		}
		var notes []string
		kept, err := weights.Make(t.Context(), weights.MakeOptions{
			Job: j, Layout: l, Note: func(format string, _ ...any) { notes = append(notes, format) },
			Solve: func(context.Context, llb.State) (ocispec.Descriptor, error) { return desc, nil },
		})
		must(t, err)
		if diff := cmp.Diff(image, kept); diff != "" || len(notes) != 1 {
			t.Errorf("%q, images (-pulled +made):\n%s", notes, diff)
		}
		if _, ok, err := j.Find(t.Context(), l); !ok || err != nil {
			t.Errorf("it isn't found afterwards: %v", err)
		}
		if _, err := l.Store().Info(t.Context(), desc.Digest); (err == nil) != ours {
			t.Errorf("the manifest is ours: %t, and its blob: %v", ours, err)
		}
	}
}

// An engine isn't used if the layers don't fit on the disk, and its result must be what was
// requested.
func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	j := scaled(t, model(t, "a.bin 1100000", "b.bin 5"), &hub{})
	l, image := pulled(t, j)
	for _, tt := range []struct {
		name   string
		change func(*weights.MakeOptions)
		want   string
		solved int
	}{
		{"no space", func(o *weights.MakeOptions) { o.Model.Files[0].Size = 1 << 60 }, "free, but the model needs another", 0},
		{"no such image", func(o *weights.MakeOptions) {
			o.Solve = func(context.Context, llb.State) (ocispec.Descriptor, error) {
				return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("none"), Size: 4}, nil
			}
		}, "not found", 0},
		{"other layers", func(o *weights.MakeOptions) { o.Layers = o.Layers[1:] }, "2 layers were made, but the plan has 1", 1},
	} {
		solved := 0
		o := weights.MakeOptions{Job: j, Layout: l, Note: t.Logf, Solve: func(context.Context, llb.State) (ocispec.Descriptor, error) {
			solved++
			return image.Manifest, nil
		}}
		o.Model.Files = slices.Clone(j.Model.Files)
		tt.change(&o)
		if _, err := weights.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) || solved != tt.solved {
			t.Errorf("%s: got %v after %d solves, want %q after %d", tt.name, err, solved, tt.want, tt.solved)
		}
	}
}

// Fetches that fail in an engine are diagnosed, and retried if that may help.
func TestMakeTriesAgain(t *testing.T) {
	t.Parallel()
	const at = "https://files.test/a.bin"
	mismatch := &solve.Error{Step: "fetch", URL: at, Err: errors.New("digest mismatch sha256:0: sha256:1")}
	other := &solve.Error{Step: "fetch", URL: at, Err: errors.New("unexpected EOF")}
	for _, tt := range []struct {
		name   string
		err    error
		code   int // of the file's server
		fails  int // before an attempt succeeds
		kind   failure.Kind
		want   string
		solved int
		waited time.Duration
	}{
		{"at once", other, 206, 0, 0, "", 1, 0},
		{"after one interruption", other, 206, 1, 0, "", 2, time.Second},
		{"after two", mismatch, 206, 2, 0, "", 3, 3 * time.Second},
		{"never", other, 206, 9, failure.Transient, `fetching "a.bin": `, 3, 3 * time.Second},
		{"busy", mismatch, 503, 9, failure.Transient, "answers 503", 3, 3 * time.Second},
		{"other bytes", mismatch, 206, 9, failure.Failure, realhub.ErrBytes.Error(), 3, 3 * time.Second},
		{"gone", mismatch, 404, 9, failure.Usage, "has no file at " + at, 1, 0},
		{"another step", &solve.Error{Step: "merge", Err: io.EOF}, 206, 9, failure.Failure, "EOF", 1, 0},
		{"another file", &solve.Error{Step: "fetch", URL: at + "x", Err: io.EOF}, 206, 9, failure.Failure, "EOF", 1, 0},
		{"no step", io.ErrClosedPipe, 206, 9, failure.Failure, io.ErrClosedPipe.Error(), 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := model(t, "a.bin 3000")
			m.Files[0].URL = at
			j := job(t, m, &hub{})
			l, image := pulled(t, j)
			synctest.Test(t, func(t *testing.T) {
				server := files(func() int { return tt.code })
				c, err := realhub.New(realhub.Options{HTTP: fetch.Options{Transport: server, Attempts: 1}})
				must(t, err)
				solved, begin := 0, time.Now()
				_, err = weights.Make(t.Context(), weights.MakeOptions{
					Job: j, Hub: c, Layout: l, Note: t.Logf,
					Solve: func(context.Context, llb.State) (ocispec.Descriptor, error) {
						if solved++; solved <= tt.fails {
							return ocispec.Descriptor{}, tt.err
						}
						return image.Manifest, nil
					},
				})
				if tt.want == "" {
					must(t, err)
				} else if err == nil || !strings.Contains(err.Error(), tt.want) || failure.KindOf(err) != tt.kind {
					t.Errorf("got kind %d, %v, want %q", failure.KindOf(err), err, tt.want)
				}
				if took := time.Since(begin); solved != tt.solved || took != tt.waited {
					t.Errorf("%d solves in %s, want %d in %s", solved, took, tt.solved, tt.waited)
				}
			})
		})
	}
}
