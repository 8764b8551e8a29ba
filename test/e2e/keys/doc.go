// Package keys builds images of packages that make keys, and of packages that bring
// what no layer may have.
package keys
