// Command wait is the program of a container that doesn't end by itself: it prints who it is,
// and waits.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	fmt.Println(os.Getuid(), os.Getenv("KEY"), os.Args[1:]) //nolint:forbidigo // it is a program
	time.Sleep(time.Hour)
}
