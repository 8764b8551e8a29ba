package layers

import "lamina.build/llb"

// CheckFolders is what [Check] does with folders alone.
func CheckFolders(folders, layers []llb.Layer) []error { return checkFolders(folders, layers) }

// Selected lists what Tree would pack, without packing it.
func Selected(o TreeOptions) ([]string, error) {
	entries, err := selectTree(o)
	return paths(entries), err
}
