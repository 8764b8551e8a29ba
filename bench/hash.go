package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// hash is a yardstick: coreutils doesn't use the CPU's instructions for SHA-256.
func hash(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: bench sha256 BYTES")
	}
	size, err := bytes(args[0])
	if err != nil {
		return err
	}
	sum, chunk := sha256.New(), make([]byte, 1<<20)
	for ; size > 0; size -= int64(len(chunk)) {
		sum.Write(chunk[:min(size, int64(len(chunk)))])
	}
	_, err = fmt.Fprintf(out, "%x\n", sum.Sum(nil))
	return err
}
