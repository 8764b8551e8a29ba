package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Container is a container that is running or has ended.
type Container struct {
	machine *Machine
	id      string
	output  output
	cmd     *exec.Cmd
	ended   chan struct{}
}

// Start runs the image's entrypoint, with further variables ("KEY=value") and arguments. It
// runs until [Container.Remove].
func (m *Machine) Start(env []string, args ...string) (*Container, error) {
	return m.Exec(env, slices.Concat(m.config.Entrypoint, m.config.Cmd, args)...)
}

// Exec runs another program of the image instead.
func (m *Machine) Exec(env []string, args ...string) (*Container, error) {
	c := &Container{machine: m, id: "lamina-" + rand.Text()[:12], ended: make(chan struct{})}
	bundle := filepath.Join(m.dir, c.id)
	if err := m.writeBundle(bundle, env, args); err != nil {
		return nil, fmt.Errorf("starting a container: %w", err)
	}
	c.cmd = m.command("run", "--bundle", bundle, c.id)
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a container: %w", err)
	}
	go func() {
		_ = c.cmd.Wait() // its state says more
		close(c.ended)
	}()
	return c, nil
}

func (m *Machine) writeBundle(dir string, env, args []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(m.runtime(env, args))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600)
}

// command returns a runc command with its state in the machine's directory. It has no context,
// so that a container can always be removed.
func (m *Machine) command(args ...string) *exec.Cmd {
	args = append([]string{"--root", m.state()}, args...)
	return exec.CommandContext(context.Background(), m.runc, args...) //nolint:gosec,forbidigo // as above
}

// stateName is the directory of a machine with the state of runc's containers.
const stateName = "state"

func (m *Machine) state() string { return filepath.Join(m.dir, stateName) }

// Ended is closed when the container's program has ended.
func (c *Container) Ended() <-chan struct{} { return c.ended }

// Output returns what the program has printed so far, to both of its outputs.
func (c *Container) Output() string { return c.output.String() }

// Wait returns the exit code; a program that still runs after most is an error.
func (c *Container) Wait(most time.Duration) (int, error) {
	select {
	case <-c.ended:
		return c.cmd.ProcessState.ExitCode(), nil
	case <-time.After(most):
		return -1, fmt.Errorf("the container runs for more than %s", most)
	}
}

// Signal sends a signal, such as "TERM", to the program.
func (c *Container) Signal(name string) error {
	if out, err := c.machine.command("kill", c.id, name).CombinedOutput(); err != nil {
		return fmt.Errorf("sending %s to the container: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// Remove ends the container, if it still runs, and waits for that. It retries, since runc may
// be just about to create it.
func (c *Container) Remove() {
	for {
		_ = c.machine.command("delete", "--force", c.id).Run() // it may have ended long ago
		select {
		case <-c.ended:
			return
		case <-time.After(removeAgain):
		}
	}
}

const removeAgain = 100 * time.Millisecond

// output is read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
