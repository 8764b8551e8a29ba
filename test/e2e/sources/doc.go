// Package sources locks what is built from source: trees of the project, git repositories,
// and versions from their tags.
package sources
