package scripts_test

import (
	"testing"

	"lamina.build/internal/test/pytest"
)

func TestScriptsOfABuildPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	pytest.Suite{Dir: ".", Top: "tests", Path: []string{"."}, Uses: "packaging"}.Run(t)
}
