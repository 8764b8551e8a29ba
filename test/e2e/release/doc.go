// Package release tests Lamina for users without Go, or without root: LAMINA_REAL=release
// packs a release and builds with it, LAMINA_REAL=rootless builds as an ordinary user.
package release
