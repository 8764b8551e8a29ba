// Command bench has the programs that the scripts of this directory run next to Lamina:
// its servers, and its competitors. Each word is one program:
//
//	bench dockerfile ENGINE DIR REFERENCE        builds a Dockerfile on a running engine
//	bench hub BYTES [LARGEST]                    serves a Hugging Face hub with one model
//	bench index                                  serves a package index that makes its wheels
//	bench registry                               serves a registry in memory
//	bench sha256 BYTES                           hashes as many bytes on one core
//	bench sink                                   serves a registry that forgets weights
//	bench cases -in DIR [SET|CASE…]              runs inputs that once misled the command, and prints a table
//	bench mutate [FLAGS] [PACKAGE…]              finds changes of the code that no test detects
//
// A server prints two lines, its address and that of its control ([serve]), and
// ends with the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"lamina.build/bench/cases"
	"lamina.build/bench/mutate"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // a separate program
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil { //nolint:forbidigo // a separate program
		stop()
		log.Fatal(err) //nolint:gocritic // stopped above
	}
}

func run(ctx context.Context, args []string, out, progress *os.File) error {
	if len(args) == 0 {
		return errors.New("usage: bench WORD [ARGUMENT…]: see go doc ./bench")
	}
	word, args := args[0], args[1:]
	switch word {
	case "dockerfile":
		return dockerfile(ctx, args, out, progress)
	case "hub":
		return hub(ctx, args, out)
	case "index":
		return index(ctx, out)
	case "registry":
		return registry(ctx, out, false)
	case "sha256":
		return hash(args, out)
	case "sink":
		return registry(ctx, out, true)
	case "cases":
		return cases.Main(ctx, args, out, progress)
	case "mutate":
		return mutate.Main(ctx, args, io.Writer(out))
	}
	return fmt.Errorf("bench has no word %q: see go doc ./bench", word)
}
