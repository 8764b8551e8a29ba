// Package kinds locks what is odd about the packages of the world, a small case of
// each kind, and the locks of other tools.
package kinds
