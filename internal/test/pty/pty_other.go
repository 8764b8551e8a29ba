//go:build !linux

package pty

import (
	"errors"
	"os"
)

// Open requires a pseudoterminal of Linux.
func Open() (ours, theirs *os.File, err error) {
	return nil, nil, errors.New("only Linux has such a terminal")
}
