// Command step is the program that the engine's tests run in a build. It is linked statically,
// so that it runs in an otherwise empty root file system.
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "sleep" {
		fmt.Println("sleeping")
		time.Sleep(time.Minute)
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "fill" {
		if err := os.WriteFile("/out", make([]byte, 100<<20), 0o600); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "threads" {
		threads(os.Args[2])
		return
	}
	// Never the same twice: the same content again is a cached result.
	if err := os.WriteFile("/out", []byte(rand.Text()), 0o600); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// threads starts number threads; Go's runtime exits at the first that it doesn't get.
func threads(number string) {
	n, err := strconv.Atoi(number)
	if err != nil {
		panic(err)
	}
	debug.SetMaxThreads(2 * n)
	started := make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			started <- struct{}{}
			select {}
		}()
		<-started
	}
}
