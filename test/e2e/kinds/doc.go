// Package kinds locks odd packages, as they exist in the world, a small case of each kind,
// and the locks of other tools.
package kinds
