package lamina_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What CI keeps of a failed run, its end, names each failed test and what it said.
func TestFailuresComeLast(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	said := `=== RUN   TestRight
    right_test.go:1: nothing of this matters
--- PASS: TestRight (0.00s)
=== RUN   TestWrong
=== PAUSE TestWrong
=== RUN   TestRight2
=== CONT  TestWrong
    wrong_test.go:1: one
    wrong_test.go:2: two
    wrong_test.go:3: three
    wrong_test.go:4: four
    wrong_test.go:5: five
    wrong_test.go:6: six
time="now" level=warning msg="enable fsverity failed"
a log of something else
--- FAIL: TestWrong (0.00s)
--- PASS: TestRight2 (0.00s)
FAIL
FAIL	lamina.build/wrong	0.1s
ok  	lamina.build/right	0.1s
=== RUN   TestPanics
    panics_test.go:1: before
panic: oh no

goroutine 7 [running]:
FAIL	lamina.build/panics	0.1s
# lamina.build/uncompiled
uncompiled.go:1:1: undefined: x
FAIL	lamina.build/uncompiled [build failed]
`
	if err := os.WriteFile(log, []byte(said), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), ".ci/failures", log).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all, last, found := strings.Cut(string(out), "== failed\n")
	want := `FAIL	lamina.build/wrong	0.1s
--- TestWrong
    wrong_test.go:2: two
    wrong_test.go:3: three
    wrong_test.go:4: four
    wrong_test.go:5: five
    wrong_test.go:6: six
FAIL	lamina.build/panics	0.1s
--- TestPanics
panic: oh no
goroutine 7 [running]:
FAIL	lamina.build/uncompiled [build failed]
--- 
# lamina.build/uncompiled
uncompiled.go:1:1: undefined: x
`
	if !found || last != want {
		t.Errorf("it ends with\n%s, not\n%s", last, want)
	}
	if !strings.Contains(all, "wrong_test.go:1: one") || strings.Contains(all, "=== RUN") {
		t.Errorf("it begins with\n%s", all)
	}
}
