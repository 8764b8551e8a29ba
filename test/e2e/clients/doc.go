// Package clients runs the commands that a summary prints, with LAMINA_REAL=clients: with
// skopeo, podman, ctr and docker of Debian 12, which Lamina installs.
package clients
