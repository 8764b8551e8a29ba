//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// terminal requires a pseudoterminal of Linux.
func terminal(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux has such a terminal")
}
