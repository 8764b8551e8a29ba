package fetch

import (
	"net/http"
	"time"
)

// NewTransport is the one of a client that has no other.
func NewTransport() *http.Transport { return transport(30 * time.Second) }
