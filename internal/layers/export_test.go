package layers

import "lamina.build/llb"

// CheckDirs is the part of [Check] about directories.
func CheckDirs(directories, layers []llb.Layer) []error { return checkDirs(directories, layers) }

// Selected lists what Tree would pack, without packing it.
func Selected(o TreeOptions) ([]string, error) {
	entries, err := selectTree(o)
	return paths(entries), err
}
