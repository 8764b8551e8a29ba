package fetch

import "net/url"

// Redact returns an address as it may be printed: without a login, a fragment,
// and the values of a query, which may be a signature.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an unreadable URL"
	}
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.String()
}
