package wan22animate_test

import (
	"testing"

	"lamina.build/internal/test/pytest"
)

func TestTheWorkerPassesItsOwnTests(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of timeouts, retries and lost connections: left out by -short")
	}
	t.Parallel()
	pytest.Suite{Dir: "app", Top: ".", Path: []string{"."}, Uses: "unittest"}.Run(t)
}
