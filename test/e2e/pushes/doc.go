// Package pushes pushes images to registries that refuse, fail or restart.
package pushes
