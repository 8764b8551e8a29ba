// Package real builds images from the wheels that PyPI has: a small closure with
// each kind of trap in every run of the tests, that of examples/wan22-animate
// where LAMINA_REAL=wan asks for it.
package real
