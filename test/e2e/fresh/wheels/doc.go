// Package wheels tests builds of Python packages, and of trees of git repositories, on an
// engine that has nothing yet.
package wheels
