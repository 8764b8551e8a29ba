// Package fetch is the one HTTP client, with retries. It tries again what may pass,
// waits as a server asks, goes on where a body was cut, ends what stalls,
// follows redirects without taking a login along, and never prints one.
//
//	one request, its answer as it is     (do.go)
//	one attempt: login, stalls, bodies   (attempt.go)
//	what a redirect leads to             (get.go)
//	which addresses nothing is asked at  (guard.go)
//	a body that goes on after a cut      (resume.go)
//	a file read in ranges                (file.go)
//	attempts, and the pauses between     (retry.go)
//	what an error means to the user      (errors.go)
package fetch
