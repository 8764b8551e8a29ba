// Command sha256 hashes as many bytes as it is told on one core, for
// bench/model.sh: coreutils leaves the CPU's own instructions alone.
//
//	sha256 BYTES
package main

import (
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"strconv"
)

func main() {
	size, err := strconv.ParseInt(os.Args[len(os.Args)-1], 10, 64) //nolint:forbidigo // a program of its own
	if err != nil {
		log.Fatal("usage: sha256 BYTES")
	}
	hash, chunk := sha256.New(), make([]byte, 1<<20)
	for ; size > 0; size -= int64(len(chunk)) {
		hash.Write(chunk[:min(size, int64(len(chunk)))])
	}
	if _, err := fmt.Fprintf(os.Stdout, "%x\n", hash.Sum(nil)); err != nil { //nolint:forbidigo // a program of its own
		log.Fatal(err)
	}
}
