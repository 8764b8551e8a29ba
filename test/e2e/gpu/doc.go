// Package gpu builds on an engine that seems to have GPUs: the CDI specs are like those of
// nvidia-ctk, and the driver that they name is made by the test.
package gpu
