package uv_test

import (
	"testing"

	"lamina.build/internal/test/pytest"
)

func TestScriptsOfAResolvePassTheirOwnTests(t *testing.T) {
	t.Parallel()
	pytest.Suite{Dir: "scripts", Top: "tests", Path: []string{"../../../scripts", "."}, Uses: "packaging"}.Run(t)
}
