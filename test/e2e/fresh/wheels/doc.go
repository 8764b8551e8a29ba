// Package wheels holds the tests that build Python packages, and trees of git
// repositories, on an engine which has nothing yet.
package wheels
