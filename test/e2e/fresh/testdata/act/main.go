// Command act serves nektos/act's cache of GitHub's runners from a directory, and prints its
// address. It is a separate module, so that no build of Lamina needs act.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/nektos/act/pkg/artifactcache"
)

func main() {
	h, err := artifactcache.StartHandler(os.Args[1], "", "127.0.0.1", 0, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.ExternalURL())
	select {}
}
