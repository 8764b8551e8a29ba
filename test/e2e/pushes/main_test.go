package pushes

import (
	"os"
	"testing"

	"lamina.build/internal/test/e2etest"
)

func TestMain(m *testing.M) { os.Exit(e2etest.Main(m)) }
