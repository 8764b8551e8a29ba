// Package fresh tests builds on an engine that has nothing yet.
package fresh
