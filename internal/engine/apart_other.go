//go:build !linux

package engine

import "syscall"

// apart is for Linux alone, as the private engine is.
func apart() *syscall.SysProcAttr { return nil }
