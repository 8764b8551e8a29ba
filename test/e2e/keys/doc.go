// Package keys builds images of packages that make keys, and of packages with files that
// no layer may have.
package keys
