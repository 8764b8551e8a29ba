// Package e2e holds the tests that build real images: the compiled command, a
// real engine, real Debian packages, a registry in-process.
package e2e
