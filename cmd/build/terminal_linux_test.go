package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudoterminal: our side, and the side of the programs on it.
func openTerminal() (ours, theirs *os.File, err error) {
	if ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	return ours, theirs, err
}

// terminal runs a command on a terminal and writes its output to the file "terminal":
// terminal PROGRAM ARGS…
func terminal(ts *testscript.TestScript, _ bool, args []string) {
	ours, theirs, err := openTerminal()
	ts.Check(err)
	defer ours.Close()
	cmd := exec.Command(lookPath(ts, args[0]), args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = theirs, theirs, ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "NO_COLOR", "TERM"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	ts.Check(theirs.Close())
	came, _ := io.ReadAll(ours) // it ends in an error when the other side is closed
	_ = cmd.Wait()              // whatever its code
	ts.Check(os.WriteFile(ts.MkAbs("terminal"), came, 0o600))
}
