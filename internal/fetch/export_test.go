package fetch

import "net/http"

// NewTransport is the one of a client that has no other.
func NewTransport() *http.Transport { return transport() }
