package hub

// What only the tests of this package see.
var (
	NextLink  = nextLink
	ParseSums = parseSums
	OpenOnce  = (*Client).openOnce
	FileURL   = (*Client).fileURL
)
