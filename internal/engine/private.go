package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
)

const (
	pollEvery   = 25 * time.Millisecond
	startWithin = 40 * time.Second // a killed predecessor may take the supervisor 20 s
	logLimit    = 8 << 20          // a larger log is rotated at the next start
	noOverlay   = 3                // exit codes of the supervisor, see its main.go
	noNamespace = 4
)

// openPrivate takes a lease on the private engine and starts it if necessary.
func openPrivate(ctx context.Context, o Options) (*Engine, error) {
	h, err := thisHost()
	if err == nil {
		err = h.unfit()
	}
	if err != nil {
		return nil, err
	}
	bin, err := compiled(ctx, o)
	if err != nil {
		return nil, err
	}
	// The supervisor changes to /, and the name of a shortened socket holds a hash of the
	// absolute path.
	dir, err := filepath.Abs(o.StateDir)
	if err != nil {
		return nil, fmt.Errorf("finding directory %q: %w", o.StateDir, err)
	}
	s := state{dir: dir}
	if o.Room {
		_ = os.Remove(s.path(ballastFile)) // there may be room without it, too
	}
	if err = s.make(); err != nil {
		return nil, err
	}
	// Take the lease first: from here on no engine ends while we use it, and this waits
	// for one that is just ending.
	lease, err := atomicfile.Shared(ctx, s.path(leaseFile))
	if err != nil {
		return nil, unwritable(err)
	}
	if !o.Room {
		s.ballast()
	}
	e, err := s.connectOrStart(ctx, o, bin)
	if err != nil {
		return nil, errors.Join(noEngine(err), lease.Close())
	}
	e.lease = lease
	return e, nil
}

// connectOrStart returns the engine of the directory. Only one process at a time starts
// it, the others find it running.
func (s state) connectOrStart(ctx context.Context, o Options, bin binaries) (*Engine, error) {
	lock, err := atomicfile.Exclusive(ctx, s.path(startFile))
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	waiting, cancel := s.soon(ctx)
	defer cancel()
	for {
		alive, err := s.alive()
		if err == nil {
			err = s.makeShort() // only now: one that was ending has removed it
		}
		if err != nil {
			return nil, err
		}
		if !alive {
			e, failed := s.start(ctx, o, bin)
			if failed != nil {
				s.removeShort()
			}
			return e, failed
		}
		if answers(waiting, s.socket()) {
			if outdated := s.outdated(o); len(outdated) > 0 {
				// Whoever holds a lease may be building. Those who wait for a start count as
				// well, and find the next engine.
				r, recordErr := s.record()
				if clients, countErr := s.clients(); errors.Join(recordErr, countErr) == nil && clients == 1 && s.sees(r) {
					if err = s.end(waiting); err != nil {
						return nil, fmt.Errorf("restarting the engine: %w", err)
					}
					continue
				}
				o.Progress("private engine: another build is using it, and it was started with " + strings.Join(outdated, ", ") + "; a build that finds it idle restarts it")
			}
			return s.connect(ctx, o)
		}
		// It is there and does not answer: it is about to end, as after a kill, or was
		// started by a client that has been killed since.
		if err = failure.Pause(waiting, pollEvery); err != nil {
			return nil, fmt.Errorf("waiting for the engine: %w", err)
		}
	}
}

// soon ends when an engine should have answered.
func (s state) soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("the engine did not answer within %s, see %s", startWithin, s.path(logFile)))
}

// end stops the engine and waits until it is gone.
func (s state) end(ctx context.Context) error {
	err := s.write(stopFile, nil)
	for alive := true; alive && err == nil; {
		if err = failure.Pause(ctx, pollEvery); err == nil {
			alive, err = s.alive()
		}
	}
	return err
}

// fitDisk checks that there is room for what a build needs. If there isn't, BuildKit is
// asked first to remove what failed steps wrote, which it otherwise does once a minute.
func (s state) fitDisk(ctx context.Context, c *client.Client, need Need) error {
	free, err := atomicfile.Free(s.path(rootDir))
	if err == nil && free < need.Bytes() {
		_ = os.Remove(s.path(ballastFile)) // a full disk refuses to prune, too
		_, err = Prune(ctx, c, PruneOptions{KeepStorage: math.MaxInt64}, nil)
		if s.ballast(); err == nil {
			free, err = atomicfile.Free(s.path(rootDir))
		}
	}
	if err != nil {
		return err
	}
	return report{free: free}.unfitDisk(s.missing(ctx, c, need, free))
}

func (s state) connect(ctx context.Context, o Options) (*Engine, error) {
	e, r, err := connect(ctx, Private, address{url: s.address()}, o.Need)
	if err == nil {
		if err = s.fitDisk(ctx, e.client, o.Need); err != nil {
			_ = e.client.Close() // err says why
		}
	}
	if err != nil {
		return nil, fmt.Errorf("using the private engine: %w", err)
	}
	if !e.Same {
		for _, remark := range r.remarks() {
			o.Progress("private engine: " + remark)
		}
		o.Progress("private engine: another version of Lamina started it; " +
			"`build engine stop` stops it, and the next build starts ours")
	}
	return e, nil
}

// start runs the supervisor and waits until buildkitd answers.
func (s state) start(ctx context.Context, o Options, bin binaries) (*Engine, error) {
	if err := bin.release.verify(); err != nil {
		return nil, err
	}
	oci, err := findRuntime(ctx, o)
	if err != nil {
		return nil, err
	}
	text, err := o.configuration()
	if err != nil {
		return nil, err
	}
	if err = s.write(configFile, text); err != nil {
		return nil, err
	}
	// The socket of an engine that was killed a moment ago still answers.
	if err = os.Remove(s.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, unwritable(err)
	}
	log, before, err := openLog(s.path(logFile))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	//nolint:gosec // programs that we compiled or found ourselves
	cmd := exec.Command(bin.supervisor, "supervise", // without ctx: it outlives this process
		"-state", s.dir, "-root", s.path(rootDir), "-socket", s.socket(), "-buildkitd", bin.buildkitd,
		"-config", s.path(configFile), "-oci", oci, "-version", Version)
	if os.Geteuid() != 0 {
		cmd.Args = append(cmd.Args, thisAccount().flags()...)
	}
	cmd.Dir = "/"
	cmd.Env = environment(o.Env)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err = cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the engine: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	waiting, cancel := s.soon(ctx)
	defer cancel()
	for !answers(waiting, s.socket()) {
		select {
		case err = <-exited:
			return nil, s.died(err, before)
		case <-waiting.Done():
			return nil, fmt.Errorf("starting the engine: %w", context.Cause(waiting))
		case <-time.After(pollEvery):
		}
	}
	e, err := s.connect(ctx, o)
	if err == nil {
		return e, nil
	}
	// buildkitd listens before it opens its databases.
	select {
	case died := <-exited:
		return nil, s.died(died, before)
	case <-time.After(time.Second):
		return nil, err
	}
}

// died explains why an engine ended during its start.
func (s state) died(err error, before int64) error {
	tail, logErr := logFrom(s.path(logFile), before)
	if err == nil {
		err = errors.New("it exited immediately")
	}
	exit, isExit := errors.AsType[*exec.ExitError](err)
	err = errors.Join(fmt.Errorf("starting the engine: %w\n%s", err, tail), logErr)
	if isExit && exit.ExitCode() == noOverlay {
		err = failure.WithHint(err, "set XDG_CACHE_HOME to a directory on ext4, xfs or btrfs "+
			"(in a container: on a volume; overlayfs does not stack on itself)")
	}
	if isExit && exit.ExitCode() == noNamespace {
		err = thisAccount().refused(err)
	}
	if isFull(err) {
		return failure.WithHint(&fullError{err}, room)
	}
	return failure.WithHint(err, elsewhere)
}

// answers reports whether somebody listens on the socket.
func answers(ctx context.Context, socket string) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	_ = conn.Close() // it was only a probe
	return true
}

// environment is all that buildkitd gets of the user's environment: what an engine needs
// to reach the network from here.
func environment(env func(string) string) []string {
	vars := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range []string{
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR",
	} {
		if value := env(name); value != "" {
			vars = append(vars, name+"="+value)
		}
	}
	return vars
}
