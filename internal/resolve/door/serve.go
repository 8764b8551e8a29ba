package door

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/fetch"
)

// serve starts the servers of the socket and of the tunnels in it.
func (d *Door) serve(ctx context.Context, l net.Listener) {
	d.outer = d.server(ctx, d.proxy)
	d.inner = d.server(ctx, d.tunneled)
	d.inner.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	d.inner.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, tunnelKey{}, c.(*tls.Conn).NetConn().(*tunnel).host)
	}
	secret := d.inner.TLSConfig.Clone()
	secret.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return d.authority.leaf(hostname((&url.URL{Host: hello.Conn.(*tunnel).host}).Hostname()))
	}
	d.tunnels = &tunnels{ctx: ctx, config: secret, ready: make(chan net.Conn)}
	d.running.Go(func() { _ = d.outer.Serve(l) })
	d.running.Go(func() { _ = d.inner.Serve(d.tunnels) })
}

func (d *Door) server(ctx context.Context, h http.HandlerFunc) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !d.enter() {
				panic(http.ErrAbortHandler)
			}
			defer d.running.Done()
			h(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,

		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // clients report their own errors
	}
}

// proxy serves the socket: CONNECT, and http by absolute URL.
func (d *Door) proxy(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		if r.URL.Scheme != "http" || r.URL.Host == "" {
			http.Error(w, "this is a proxy: use CONNECT, or http with an absolute URL", http.StatusBadRequest)
			return
		}
		d.forward(w, r, r.URL)
		return
	}
	to := &url.URL{Scheme: "https", Host: r.Host}
	if host, port, err := net.SplitHostPort(r.Host); err != nil || host == "" || port == "" {
		http.Error(w, "CONNECT needs HOST:PORT", http.StatusBadRequest)
		return
	}
	if err := d.hosts.check(to); err != nil {
		d.refuse(w, r.Method, to, err.Error())
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection can't be a tunnel", http.StatusBadRequest)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		_ = conn.Close() // the client is gone
		return
	}
	d.tunnels.add(conn, buffered.Reader, r.Host)
}

// tunneled serves requests in a tunnel. They go to the host of the tunnel, whatever host
// they name.
func (d *Door) tunneled(w http.ResponseWriter, r *http.Request) {
	host, _ := r.Context().Value(tunnelKey{}).(string)
	to := *r.URL
	to.Scheme, to.Host = "https", host
	d.forward(w, r, &to)
}

// refuse answers a forbidden request with the reason.
func (d *Door) refuse(w http.ResponseWriter, method string, u *url.URL, reason string) {
	at := place(u)
	d.record.refuse(Refusal{Method: method, URL: fetch.Redact(u.String()), Host: at, Reason: reason})
	http.Error(w, "Lamina doesn't allow this resolve to access "+at+": "+reason, http.StatusForbidden)
}

// uploadPack is the path that git posts to when it reads.
const uploadPack = "/git-upload-pack"

// methodRefusal returns why a request is forbidden for any host, or "" if it only reads.
func methodRefusal(method string, u *url.URL) string {
	switch {
	case strings.HasSuffix(u.Path, "/git-receive-pack"),
		slices.Contains(u.Query()["service"], "git-receive-pack"):
		return "git may read from here, but not write"
	case method == http.MethodGet, method == http.MethodHead:
		return ""
	case method == http.MethodPost && strings.HasSuffix(u.Path, uploadPack):
		return ""
	}
	return method + " is not allowed: requests may only read"
}

// requestHeader returns the request header to forward: the fields that select bytes and
// their form. It drops every field that could hold a login.
func requestHeader(in http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Encoding", "Content-Type",
		"Git-Protocol", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since",
		"Range", "User-Agent",
	} {
		if values, ok := in[name]; ok && !isHop(in, name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// responseHeader returns the response header to forward: all but the fields for one
// connection, and those that request or grant a login.
func responseHeader(in http.Header) http.Header {
	out := http.Header{}
	for name, values := range in {
		switch {
		case isHop(in, name), strings.HasPrefix(name, "Proxy-"):
		case slices.Contains([]string{
			"Set-Cookie", "Set-Cookie2", "Www-Authenticate", "Authentication-Info", "Alt-Svc", "Location", "Content-Location", "Refresh",
		}, name):
		default:
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// isHop reports whether a header is for one connection (RFC 9110, 7.6.1).
func isHop(h http.Header, name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	for _, line := range h.Values("Connection") {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return true
			}
		}
	}
	return false
}
