package layers

// Selected lists what Tree would pack, without packing it.
func Selected(o TreeOptions) ([]string, error) {
	entries, err := selectTree(o)
	return paths(entries), err
}
