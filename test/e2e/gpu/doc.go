// Package gpu builds on an engine that has GPUs, as far as it can know: the CDI specs are
// as nvidia-ctk writes them, and the driver that they name is made by the test.
package gpu
