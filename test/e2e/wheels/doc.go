// Package wheels builds real images of Python packages, with the compiled command and package
// indexes made for it.
package wheels
