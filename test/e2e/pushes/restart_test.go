package pushes

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// restarting returns an address that forwards to another one, and a function that interrupts it for a while.
func restarting(t *testing.T, to string) (addr string, restart func(time.Duration)) {
	t.Helper()
	var mu sync.Mutex
	var open []net.Conn
	var l net.Listener
	listen := func(at string) error {
		next, err := new(net.ListenConfig).Listen(context.Background(), "tcp", at)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		l, addr = next, next.Addr().String()
		go func() {
			for {
				from, err := next.Accept()
				if err != nil {
					return
				}
				there, err := net.Dial("tcp", to) //nolint:noctx // on the loopback
				if err != nil {
					_ = from.Close()
					continue
				}
				mu.Lock()
				open = append(open, from, there)
				mu.Unlock()
				go func() { _, _ = io.Copy(there, from); _ = there.Close() }()
				go func() { _, _ = io.Copy(from, there); _ = from.Close() }()
			}
		}()
		return nil
	}
	stop := func() {
		mu.Lock()
		defer mu.Unlock()
		_ = l.Close()
		for _, c := range open {
			_ = c.Close()
		}
		open = nil
	}
	if err := listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr, func(pause time.Duration) {
		stop()
		time.Sleep(pause)
		if err := listen(addr); err != nil {
			t.Error(err)
		}
	}
}
