//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// terminal makes a terminal as Linux has them, and as no other system has.
func terminal(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux has such a terminal")
}
