// Package debian reads Debian repositories: mirrors, signed indexes, packages.
//
// Trust runs in one line. A [Getter] fetches an InRelease; [Keyring.Verify]
// checks its signature and yields a [Release], which names the size and hash
// of each Packages file; those name the size and hash of each .deb. Nothing is
// believed that does not hang on that line, so a mirror need not be trusted.
//
// The package resolves nothing: which packages a wish needs is apt's work, see
// the package resolve.
package debian
