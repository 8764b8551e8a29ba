// Package secrets builds with every login that a build can have, and searches everything that
// it leaves for them.
package secrets
