package engine_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

func TestKeptEngineOutlivesItsLastClient(t *testing.T) {
	o := options(t)
	st, err := engine.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !st.Running || !st.Kept {
		t.Errorf("got status %+v, want one that runs and is kept", st)
	}
	closeEngine(t, open(t, o))
	time.Sleep(500 * time.Millisecond) // five checks of the lease
	if again := status(t, o); again.PID != st.PID || !again.Running {
		t.Errorf("got status %+v, want the same engine, %+v", again, st)
	}
	if ended, err := engine.Stop(t.Context(), o, false); err != nil || !ended {
		t.Fatalf("stopping: ended %v, %v", ended, err)
	}
	if st = status(t, o); st.Running || st.Kept {
		t.Errorf("got status %+v, want it stopped", st)
	}
	waitGone(t, o)
	if ended, err := engine.Stop(t.Context(), o, false); err != nil || ended {
		t.Errorf("stopping twice: ended %v, %v", ended, err)
	}
}

func TestStopSparesBuildsUnlessForced(t *testing.T) {
	o := options(t)
	if _, err := engine.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	e := open(t, o)
	defer e.Close()
	_, err := engine.Stop(t.Context(), o, false)
	if !errors.Is(err, engine.ErrInUse) || len(failure.Hints(err)) == 0 {
		t.Errorf("got error %v with hints %q, want %v and a hint", err, failure.Hints(err), engine.ErrInUse)
	}
	if st := status(t, o); !st.Running || st.Kept {
		t.Errorf("got status %+v, want it running for its build, and not kept", st)
	}
	ended, err := engine.Stop(t.Context(), o, true)
	if err != nil || !ended {
		t.Fatalf("stopping: ended %v, %v", ended, err)
	}
	waitGone(t, o)
	if _, err = e.Client().Info(t.Context()); err == nil {
		t.Error("the stopped engine still answers")
	}
}

// The buildkitd of a killed supervisor lives a moment longer: until it has released the root,
// the engine has not ended.
func TestStopWaitsForAnEngineThatIsEnding(t *testing.T) {
	o := engine.Options{StateDir: t.TempDir()}
	if ended, err := engine.Stop(t.Context(), o, true); err != nil || ended {
		t.Errorf("without an engine: ended %v, %v", ended, err)
	}
	if err := os.Mkdir(filepath.Join(o.StateDir, "root"), 0o700); err != nil {
		t.Fatal(err)
	}
	owner, err := os.Create(filepath.Join(o.StateDir, "root", "buildkitd.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if err = syscall.Flock(int(owner.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err = engine.Stop(short, o, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v while it is ending, want %v", err, context.DeadlineExceeded)
	}
	time.AfterFunc(100*time.Millisecond, func() { owner.Close() })
	if ended, err := engine.Stop(t.Context(), o, true); err != nil || !ended {
		t.Errorf("got ended %v, %v", ended, err)
	}
}

func TestStatusOfNothing(t *testing.T) {
	st := status(t, engine.Options{StateDir: t.TempDir()})
	if st.Running || st.Kept || st.Disk != 0 {
		t.Errorf("got %+v", st)
	}
}

func TestDuAndPrune(t *testing.T) {
	o := options(t)
	e := open(t, o)
	defer closeEngine(t, e)
	file := bkllb.Scratch().File(bkllb.Mkfile("/data", 0o644, bytes.Repeat([]byte("x"), 1<<20)))
	if _, err := solve(t.Context(), e, file, nil); err != nil {
		t.Fatal(err)
	}
	if st := status(t, o); st.Disk < 1<<20 || st.Free == 0 {
		t.Errorf("got status %+v, want at least 1 MB used", st)
	}
	before, err := engine.Du(t.Context(), e.Client())
	if err != nil || len(before) == 0 {
		t.Fatalf("got records %v, %v", before, err)
	}
	none := engine.PruneOptions{Filters: []string{"type==exec.cachemount"}}
	freed, err := engine.Prune(t.Context(), e.Client(), none, nil)
	if err != nil || freed != 0 {
		t.Errorf("pruning cache mounts freed %d, %v", freed, err)
	}
	var reported int64
	// The filter comes from buildkitd.toml, where BuildKit parses it only to collect garbage.
	rest := engine.PruneOptions{All: true, Filters: []string{"type!=exec.cachemount"}}
	freed, err = engine.Prune(t.Context(), e.Client(), rest, func(r client.UsageInfo) { reported += r.Size })
	if err != nil {
		t.Fatal(err)
	}
	if freed < 1<<20 || freed != reported {
		t.Errorf("freed %d bytes and reported %d, want at least 1 MB", freed, reported)
	}
	if after, err := engine.Du(t.Context(), e.Client()); err != nil || len(after) != 0 {
		t.Errorf("got records %v, %v, want none", after, err)
	}
}

// A prune removes nothing that concurrent builds use.
func TestPruneAlongsideBuilds(t *testing.T) {
	o := options(t)
	e := open(t, o)
	defer closeEngine(t, e)
	step := stepState(t)
	ctx, stop := context.WithCancel(t.Context())
	pruned := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := engine.Prune(t.Context(), e.Client(), engine.PruneOptions{All: true}, nil); err != nil {
				pruned <- err
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		pruned <- nil
	}()
	for n := range 4 {
		state := step.File(bkllb.Mkfile("/data", 0o644, bytes.Repeat([]byte{byte(n)}, 1<<20)))
		if _, err := solve(t.Context(), e, run(run(state, "first"), "second"), nil); err != nil {
			t.Errorf("build %d: %v", n, err)
		}
	}
	stop()
	if err := <-pruned; err != nil {
		t.Error(err)
	}
}

func TestLogs(t *testing.T) {
	o := options(t)
	if err := engine.Logs(t.Context(), o, &bytes.Buffer{}, engine.LogOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v before the first start", err)
	}
	e := open(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	followed := &lockedBuffer{}
	ended := make(chan error)
	go func() { ended <- engine.Logs(ctx, o, followed, engine.LogOptions{Follow: true}) }()
	eventually(t, "the start in the log", func() bool { return strings.Contains(followed.String(), "running server") })
	closeEngine(t, e)
	eventually(t, "the end in the log", func() bool { return strings.Contains(followed.String(), "the last build is done") })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("following the log: %v", err)
	}
}

// What was written just before a rotation is followed, too.
func TestLogsFollowARotatedLogToItsEnd(t *testing.T) {
	o := engine.Options{StateDir: t.TempDir()}
	path := engine.LogPath(o)
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("a\n")
	ctx, cancel := context.WithCancel(t.Context())
	followed, ended := &lockedBuffer{}, make(chan error)
	go func() { ended <- engine.Logs(ctx, o, followed, engine.LogOptions{Follow: true}) }()
	eventually(t, "the beginning of the log", func() bool { return followed.String() == "a\n" })
	write("b\n")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	write("c\n")
	eventually(t, "the next log", func() bool { return strings.HasSuffix(followed.String(), "c\n") })
	cancel()
	if err := <-ended; err != nil || followed.String() != "a\nb\nc\n" {
		t.Errorf("followed %q, %v", followed, err)
	}
}

func TestTail(t *testing.T) {
	tests := []struct {
		name string
		text string
		n    int
		want string
	}{
		{"all", "a\nb\n", 0, "a\nb\n"},
		{"last", "a\nb\n", 1, "b\n"},
		{"more than there is", "a\nb\n", 5, "a\nb\n"},
		{"unfinished line", "a\nb", 1, "b"},
		{"empty", "", 3, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := engine.Tail(tt.text, tt.n); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCountLocks(t *testing.T) {
	const locks = `1: FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF
2: FLOCK  ADVISORY  READ 4712 fe:00:1234 0 EOF
2: -> FLOCK  ADVISORY  WRITE 4713 fe:00:1234 0 EOF
3: POSIX  ADVISORY  READ 1 fe:00:1234 0 EOF
4: FLOCK  ADVISORY  READ 5 fe:00:91234 0 EOF
`
	for kind, want := range map[string]int{"READ": 2, "WRITE": 0} {
		if got := engine.CountLocks(locks, kind, 1234); got != want {
			t.Errorf("got %d locks of kind %s, want %d", got, kind, want)
		}
	}
}
