// Package fetch is the one patient HTTP client. It tries again what may pass,
// waits as a server asks, goes on where a body was cut, ends what stalls,
// follows redirects without taking a login along, and never prints one.
//
//	one request, its answer as it is     (do.go, pause.go)
//	a login for the host of a request    (login.go)
//	what a redirect leads to             (get.go)
//	a body that goes on after a cut      (resume.go)
//	a file read in ranges                (file.go)
//	something else, again and again      (retry.go)
//	what an error means to the user      (errors.go, explain.go)
package fetch
