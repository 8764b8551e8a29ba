package llb_test

import (
	"testing"

	"lamina.build/internal/test/pytest"
)

func TestScriptsOfABuildPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	pytest.Suite{Dir: "scripts", Top: "tests", Path: []string{"."}, Uses: "packaging"}.Run(t)
}
