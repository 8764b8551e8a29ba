// Package real builds images from PyPI's own wheels: a small closure with each kind of trap in
// every run of the tests, and that of examples/wan22-animate with LAMINA_REAL=wan.
package real
