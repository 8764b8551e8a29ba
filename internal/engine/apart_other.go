//go:build !linux

package engine

import (
	"errors"
	"os"
	"syscall"
)

// apart works only on Linux, like the private engine.
func apart() *syscall.SysProcAttr { return nil }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }
