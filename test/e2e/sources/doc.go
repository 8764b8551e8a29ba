// Package sources locks what is built from its source: trees of the project, git
// repositories, and versions that their tags give.
package sources
