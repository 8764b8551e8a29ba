// Package fresh holds the tests that build on an engine which has nothing yet.
package fresh
