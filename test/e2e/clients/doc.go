// Package clients runs the commands that a summary prints, where LAMINA_REAL=clients asks
// for it: with skopeo, podman, ctr and docker of Debian 12, which Lamina installs.
package clients
