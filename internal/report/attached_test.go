package report

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build"
)

// A summary lists attachments by digest and type, if there are any.
func TestImageSaysWhatIsAttached(t *testing.T) {
	m := made()
	if text := Image(m, again); strings.Contains(text, "attached") {
		t.Errorf("without attachments:\n%s", text)
	}
	d := digest.FromString("sbom")
	m.Attached = []lamina.Attached{{Type: lamina.SPDXType, Digest: d}}
	if text, want := Image(m, again), "\nattached:\n  "+d.String()+"  application/spdx+json\n"; !strings.HasSuffix(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}
