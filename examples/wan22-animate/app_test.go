package wan22animate_test

import (
	"os"
	"testing"

	"lamina.build/internal/test/pytest"
)

func TestTheWorkerPassesItsOwnTests(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of timeouts, retries and lost connections: left out by -short")
	}
	if os.Geteuid() == 0 {
		t.Skip("TestRealAppPassesItsOwnTests runs them in an image")
	}
	t.Parallel()
	pytest.Suite{Dir: "app", Top: ".", Path: []string{"."}, Uses: "unittest"}.Run(t)
}
