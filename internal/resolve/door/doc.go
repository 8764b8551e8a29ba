// Package door is the one door of a sealed exec: a proxy on a unix socket that
// ends the TLS of what comes out, looks at it, and asks the real hosts with the
// trust store, the proxies and the logins of this machine.
//
//	exec: uv, git, backends ──▶ bridge on its loopback ──(unix socket)──▶ door ──▶ hosts
//
//	the certificates that the exec trusts                 (authority.go)
//	connections, and the TLS in them                      (serve.go, tunnel.go)
//	what may be asked for, and of whom                    (request.go, hosts.go, address.go, guard.go)
//	what gets the login of its host                       (own.go)
//	one request and its answer                            (forward.go, answer.go)
//	which index a project is bound to                     (binding.go)
//	what index pages say of files                         (page.go, html.go, simple.go, flat.go, files.go)
//	whether the bytes are those that they promise         (body.go)
//	what was seen, refused, and went wrong                (record.go)
//	the bridge                                            (bridge.go, bridge.py)
//
// Nothing in the exec speaks with a login of its own, and none comes in: logins
// are added outside, for the host that is asked and for no other, and only to an
// index, to what its pages name, to a file or repository that is required by its
// address, and to where one of these redirects on its own origin.
//
// # Hosts
//
// A host is allowed with its scheme and its port: those of the options, those that
// pages of the indexes name for files, and those that answers of allowed hosts
// redirect to.
// A host that only a page or a redirect names may be on a kind of address that
// is no more private than the one its namer is on: a public index can't lead to
// the loopback or to a private network, while an index inside of a company may
// name its file server there. What is asked by https leads to https alone, so
// that no login goes out in the clear. The host of an index, or of what is required,
// may be anywhere; one that only a text of a source tree names has to be public, and
// one of a lock before may be private. Link-local addresses, where clouds keep the credentials
// of a machine, are never asked. Where the client has the transport that fetch
// makes, this is checked again as each connection is made, so that no name can
// stand for two addresses; behind a proxy, names are for the proxy to look up.
package door
