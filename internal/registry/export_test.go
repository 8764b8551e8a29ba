package registry

// Next exports next for fuzzing.
func Next(header string, believed int64) (int64, bool) { return next(header, believed) }

// ContentRange exports contentRange.
func ContentRange(offset int64, n int) string { return contentRange(offset, n) }
