// Package e2e tests builds of real images: with the compiled command, a real engine, real
// Debian packages, and a registry in the test's process.
package e2e
