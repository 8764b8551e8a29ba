package hub

// What only the tests of this package see.
var (
	ParseSums = parseSums
	OpenOnce  = (*Client).openOnce
	FileURL   = (*Client).fileURL
)
