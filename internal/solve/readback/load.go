package readback

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"lamina.build/internal/failure"
)

// loader passes an archive to docker's own client, which finds docker by contexts and
// DOCKER_HOST. It starts with the first byte, so that no connection waits for a build.
type loader struct {
	load *exec.Cmd
	kill context.CancelFunc
	in   io.WriteCloser // nil before the first byte
	said *bytes.Buffer
}

// newLoader fails if docker can't be reached, before the build starts.
func newLoader(ctx context.Context) (*loader, error) {
	said := &bytes.Buffer{}
	ask := exec.CommandContext(ctx, "docker", "ps", "--quiet")
	ask.Stderr = said
	if err := ask.Run(); err != nil {
		err = failure.New(failure.Usage, dockerError("asking docker", err, said))
		return nil, failure.WithHint(err, `-o type=docker,dest=FILE writes an archive for "docker load" and "podman load"`)
	}
	ctx, kill := context.WithCancel(ctx)
	l := &loader{load: exec.CommandContext(ctx, "docker", "load", "--quiet"), kill: kill, said: said}
	l.load.Stderr = said
	return l, nil
}

// dockerError returns docker's own message, if there is one.
func dockerError(doing string, err error, said fmt.Stringer) error {
	if text := strings.TrimSpace(said.String()); text != "" {
		return fmt.Errorf("%s: %s", doing, text)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Write sends docker more of the archive. If docker accepts no more, its message says why.
func (l *loader) Write(p []byte) (n int, err error) {
	if l.in == nil {
		if l.in, err = l.load.StdinPipe(); err == nil {
			err = l.load.Start()
		}
		if err != nil {
			return 0, fmt.Errorf("starting docker: %w", err)
		}
	}
	if n, err = l.in.Write(p); err != nil {
		err = cmp.Or(l.Close(), err)
	}
	return n, err
}

// Close waits until docker has the image.
func (l *loader) Close() error {
	if l.in == nil || l.load.ProcessState != nil {
		return nil
	}
	_ = l.in.Close() // if that fails, docker fails
	if err := l.load.Wait(); err != nil {
		return dockerError("docker load", err, l.said)
	}
	return nil
}
