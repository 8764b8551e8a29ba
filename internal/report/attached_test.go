package report

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build"
)

// A summary names what was attached, by digest and type, and nothing where nothing was.
func TestImageSaysWhatIsAttached(t *testing.T) {
	m := made()
	if text := Image(m, again); strings.Contains(text, "attached") {
		t.Errorf("of nothing:\n%s", text)
	}
	d := digest.FromString("sbom")
	m.Attached = []lamina.Attached{{Type: lamina.SPDXType, Digest: d}}
	if text, want := Image(m, again), "\nattached:\n  "+d.String()+"  application/spdx+json\n"; !strings.HasSuffix(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}
