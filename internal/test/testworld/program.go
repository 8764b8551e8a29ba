package testworld

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
)

// During calls do with a test that lasts as long as the call, for programs that need a world
// for a while. A failure ends do, and is returned. At the end everything that do made is
// removed: servers, and directories, which are in dir.
func During(ctx context.Context, dir string, do func(t testing.TB) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &program{ctx: ctx, dir: dir}
	p.Cleanup(cancel)
	defer func() {
		fault := recover()
		f, failed := fault.(failure)
		if failed {
			err = f
		}
		err = errors.Join(err, p.end())
		if fault != nil && !failed {
			panic(fault)
		}
	}()
	return do(p)
}

// program is a [testing.TB] for programs, as far as a world needs it.
type program struct {
	testing.TB

	ctx    context.Context
	dir    string
	mu     sync.Mutex
	ends   []func()
	faults []error
}

// failure is the panic of a failed program.
type failure string

func (f failure) Error() string { return string(f) }

// end runs the cleanups in reverse order.
func (p *program) end() error {
	for _, f := range slices.Backward(p.ends) {
		p.attempt(f)
	}
	return errors.Join(p.faults...)
}

// attempt runs one cleanup, whose failure doesn't prevent the others.
func (p *program) attempt(clean func()) {
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case failure:
			p.faults = append(p.faults, fault)
		default:
			p.faults = append(p.faults, fmt.Errorf("cleaning up: %v", fault))
		}
	}()
	clean()
}

func (p *program) Helper() {}

func (p *program) Context() context.Context { return p.ctx }

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = append(p.ends, f)
}

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp(p.dir, "lamina-world-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			p.faults = append(p.faults, err)
		}
	})
	return dir
}

func (p *program) Output() io.Writer { return io.Discard }

func (p *program) Log(...any) {}

func (p *program) Logf(string, ...any) {}

func (p *program) Fatal(args ...any) {
	text := fmt.Sprintln(args...)
	panic(failure(text[:len(text)-1]))
}

func (p *program) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }
