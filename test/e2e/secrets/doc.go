// Package secrets builds with every login that a build can have, and looks for them in all
// that it leaves.
package secrets
