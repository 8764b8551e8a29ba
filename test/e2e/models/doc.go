// Package models tests models from a hub end to end: locked, published,
// pulled, fetched by an engine, and merged into images that never move them.
package models
