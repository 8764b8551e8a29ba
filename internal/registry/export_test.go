package registry

// Next is next, for fuzzing.
func Next(header string, believed int64) (int64, bool) { return next(header, believed) }

// ContentRange is contentRange.
func ContentRange(offset int64, n int) string { return contentRange(offset, n) }
