package hub

// Exported only for this package's tests.
var (
	ParseSums = parseSums
	OpenOnce  = (*Client).openOnce
	FileURL   = (*Client).fileURL
)
