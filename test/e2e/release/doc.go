// Package release holds the tests of what users have who have no Go, or are not root:
// LAMINA_REAL=release packs a release and builds with it, LAMINA_REAL=rootless builds as an
// ordinary user.
package release
