// Package wheels holds the tests that build Python packages on an engine which
// has nothing yet.
package wheels
