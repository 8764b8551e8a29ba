//go:build !linux

package engine

import (
	"errors"
	"os"
	"syscall"
)

// apart is for Linux alone, as the private engine is.
func apart() *syscall.SysProcAttr { return nil }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }
