package uv_test

import (
	"testing"

	"lamina.build/internal/test/pytest"
)

func TestScriptsOfAResolvePassTheirOwnTests(t *testing.T) {
	t.Parallel()
	pytest.Suite{Dir: "scripts", Top: "tests", Path: []string{"../../../../llb/scripts", "."}, Uses: "packaging"}.Run(t)
}
