package testworld

import (
	"net"
	"testing"
)

// Away returns an address of this machine that is not the loopback: rules for "localhost"
// don't apply to it, and proxies are used for it.
func Away(t testing.TB) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but the loopback")
	return ""
}
