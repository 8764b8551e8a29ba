package solve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/llb"
)

// heard returns a recorder with one step and its output.
func heard(id digest.Digest, name string, output ...string) *recorder {
	in, out := make(chan *client.SolveStatus), make(chan *client.SolveStatus, len(output)+1)
	var r recorder
	go func() {
		in <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: id, Name: name}}}
		for _, text := range output {
			in <- &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: id, Data: []byte(text)}}}
		}
		close(in)
	}()
	r.watch(in, out, silence, nil)
	return &r
}

func TestAFailedExecIsToldByItsNameAndOutput(t *testing.T) {
	id := digest.FromString("vertex")
	r := heard(id, "smoke: import numpy", "Traceback\n", "ImportError\n")
	bare := errors.New(`failed to solve: process "/usr/bin/python3 -c …" did not complete successfully: exit code: 1`)
	err := r.explain(errdefs.WrapVertex(bare, id), &bkllb.Definition{})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T", err)
	}
	if got, want := e.Error(), "smoke: import numpy: exit code: 1: ImportError"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := e.Output, "Traceback\nImportError"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
	if !errors.Is(err, bare) {
		t.Error("BuildKit's own error is gone")
	}
}

// An error repeats the line of an output that says why, not an echo of it.
func TestTheLastLineThatSaysSomething(t *testing.T) {
	const gcc = "core.cc:3:5: error: ‘nonsense’ was not declared in this scope"
	excerpt := "\n    3 |     nonsense\n      |     ^~~~~~~~\n"
	for output, want := range map[string]string{
		"Traceback (most recent call last):\n  File \"a.py\", line 1\nImportError: libx.so\n\n":                 "ImportError: libx.so",
		gcc + excerpt + "error: command '/usr/bin/gcc' failed with exit code 1\n":                               gcc,
		gcc + excerpt + "core.cc:1:1: note: declared here\ncompilation terminated.\n[2/4] Building x\n[ 50%] x": gcc,
		"FAILED: core.o\ng++ -c core.cc\n" + gcc + excerpt + "ninja: build stopped: subcommand failed.\nTraceback (most recent call last):\n  File \"s.py\", line 9, in <module>\n    call()\nsubprocess.CalledProcessError: Command '['cmake']' returned non-zero exit status 1.\n\n" +
			"During handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"t.py\", line 2\n    raise\nsubprocess.CalledProcessError: Command x returned non-zero exit status 1.\n\nERROR Backend subprocess exited when trying to invoke build_wheel": gcc,
		"make[1]: *** [Makefile:3: a.o] Error 1\nmake: *** [all] Error 2":                                       "make: *** [all] Error 2",
		"checking\nusr/bin/ld: cannot find -lx\ncollect2: error: ld returned 1 exit status\n----------------\n": "usr/bin/ld: cannot find -lx",
		"": "",
	} {
		if got := why(output); got != want {
			t.Errorf("of %q it is %q, want %q", output, got, want)
		}
	}
}

func TestTheLastLineOfAnErrorIsCutShort(t *testing.T) {
	e := Error{Step: "x", Output: "first\n" + strings.Repeat("ü", 1000) + "\n\n", Err: errors.New("exit code: 2")}
	if got := e.Error(); len(got) > 400 || strings.Contains(got, "first") || !strings.HasSuffix(got, "ü…") {
		t.Errorf("got %q", got)
	}
	e.Output = ""
	if got := e.Error(); got != "x: exit code: 2" {
		t.Errorf("got %q", got)
	}
}

func TestAFailedFetchIsToldByItsURL(t *testing.T) {
	const url = "http://deb.example/debian/pool/x.deb"
	def, err := llb.Marshal(t.Context(), llb.Fetch(url, digest.FromString("x"), "x.deb"), ocispec.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	id := digest.FromBytes(def.Def[0])
	got := heard(id, "fetch x.deb").explain(errdefs.WrapVertex(errors.New("failed to load cache key: digest mismatch"), id), def)
	var e *Error
	if !errors.As(got, &e) || e.URL != url || e.Error() != "fetch x.deb: digest mismatch" {
		t.Errorf("got %v with URL %q", got, e.URL)
	}
}

func TestOutputIsKeptToItsEnd(t *testing.T) {
	id := digest.FromString("vertex")
	r := heard(id, "compile", append(slices.Repeat([]string{strings.Repeat("x", outputLimit/3)}, 300), "the end")...)
	if kept := cap(r.outputs[id]); kept > 8*outputLimit {
		t.Errorf("it keeps %d bytes", kept)
	}
	if got := r.output(id); len(got) != outputLimit || !strings.HasSuffix(got, "the end") {
		t.Errorf("kept %d bytes that end in %q", len(got), got[max(0, len(got)-10):])
	}
}

func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	want := fmt.Errorf("no connection")
	if got := (&recorder{}).explain(want, &bkllb.Definition{}); got != want { //nolint:errorlint // the very same
		t.Errorf("got %v", got)
	}
}

func TestWhoDidNotAnswer(t *testing.T) {
	refused := errors.New("failed to do request: Head \"https://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused")
	for name, tt := range map[string]struct {
		err  error
		kind failure.Kind
	}{
		"a registry":                    {refused, failure.Transient},
		"a repository":                  {&Error{Step: "git x", Err: errors.New("git stderr: fatal: unable to access: Could not resolve host: git.example: exit status 128")}, failure.Transient},
		"a registry with errors":        {errors.New("unexpected status from PUT request: 503 Service Unavailable"), failure.Transient},
		"a registry that hangs up":      {errors.New("failed to copy: failed to do request: Put \"https://127.0.0.1:1/v2/app/blobs/uploads/\": readfrom tcp 127.0.0.1:2->127.0.0.1:1: use of closed network connection"), failure.Transient},
		"one that breaks off":           {errors.New("failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://r.test/v2/app/blobs/x\": EOF"), failure.Transient},
		"a truncated file":              {errors.New("reading the archive: unexpected EOF"), failure.Failure},
		"an exec":                       {&Error{Step: "smoke: x", Output: "connection refused", Err: errors.New("exit code: 1: connection refused")}, failure.Failure},
		"a file":                        {&Error{Step: "fetch x", URL: "https://x", Err: refused}, failure.Failure},
		"plain HTTP":                    {errors.New("Head \"https://vm:5501/v2/\": http: server gave HTTP response to HTTPS client"), failure.Usage},
		"another":                       {errors.New("Head \"https://r.test/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority"), failure.Usage},
		"a required client certificate": {errors.New("Head \"https://r.test/v2/\": remote error: tls: certificate required"), failure.Usage},
		"an exec that says so":          {&Error{Step: "x: compile", Err: errors.New("exit code: 1: http: server gave HTTP response to HTTPS client")}, failure.Failure},
		"a private repository":          {&Error{Step: "fetch x 0123", Err: errors.New("git stderr:\nfatal: could not read Username for 'https://git.example:8443': terminal prompts disabled: exit status 128")}, failure.Usage},
		"a wrong login":                 {&Error{Step: "fetch x 0123", Err: errors.New("fatal: Authentication failed for 'https://git.example/me/x.git/'")}, failure.Usage},
		"an exec that runs git":         {&Error{Step: "x: compile", Err: errors.New("exit code: 1: fatal: could not read Username for 'https://git.example'")}, failure.Failure},
		"denied":                        {errors.New("401 Unauthorized"), failure.Failure},
	} {
		if got := failure.KindOf(passing(tt.err)); got != tt.kind {
			t.Errorf("%s: kind %d, want %d", name, got, tt.kind)
		}
	}
	err := passing(errors.New("fatal: could not read Username for 'https://git.example:8443': terminal prompts disabled"))
	if diff := cmp.Diff([]string{"put a login for git.example:8443 into ~/.netrc; the engine gets it from there"}, failure.Hints(err)); diff != "" {
		t.Error(diff)
	}
	if err := passing(nil); err != nil {
		t.Error(err)
	}
}
