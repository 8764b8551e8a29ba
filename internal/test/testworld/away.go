package testworld

import (
	"net"
	"testing"
)

// Away is an address of this machine that is not the loopback: what is said of
// "localhost" is not said of it, and one goes there by a proxy.
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
