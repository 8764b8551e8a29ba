// Package cache says what may be kept between builds and under which name:
// cache mounts on the engine, and the build cache in registries and folders.
// Nothing kept can change what a build makes; an empty cache gives the same
// digests.
package cache
