// Package debian builds images of Debian packages: a small case of each kind in every run
// of the tests, sets of real use with LAMINA_REAL=debian.
package debian
