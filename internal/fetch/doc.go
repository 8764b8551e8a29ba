// Package fetch is the one HTTP client, with retries. It retries transient errors, waits
// as long as a server requests, resumes interrupted bodies, ends stalled connections,
// follows redirects without taking a login along, and never prints one.
//
//	one request and its answer           (do.go)
//	one attempt: login, stalls, bodies   (attempt.go)
//	redirects                            (get.go)
//	forbidden addresses                  (guard.go)
//	a body that is resumed               (resume.go)
//	a file read in ranges                (file.go)
//	attempts, and the pauses between     (retry.go)
//	what an error means to the user      (errors.go)
package fetch
