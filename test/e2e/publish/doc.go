// Package publish attaches documents to images, signs and verifies them, and runs what
// publishes them: workflows, several platforms, a fleet.
package publish
