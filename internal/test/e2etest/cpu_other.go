//go:build !linux

package e2etest

import (
	"testing"

	"lamina.build/internal/engine"
)

func engineOnOneCPU(t *testing.T) *engine.Engine {
	t.Helper()
	t.Skip("only Linux says which CPUs an engine has")
	return nil
}
