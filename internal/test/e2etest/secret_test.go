package e2etest

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// The search finds a secret wherever it is, and nothing else.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	far := strings.Repeat("far ", 1<<18)
	secret := Secret + "/ü%"
	for name, text := range map[string]string{
		"plain": secret, "quoted": url.QueryEscape(secret), "within": "x" + secret + "y", "far away": far + secret, "across": far[:1<<20-5] + secret,
	} {
		if found, err := holdsSecret(strings.NewReader(text)); !found || err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for before := range 4 {
		text := strings.Repeat("u", before) + secret
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			if found, err := holdsSecret(strings.NewReader("x" + e.EncodeToString([]byte(text)))); !found || err != nil {
				t.Errorf("base64 of %s: %v", text, err)
			}
		}
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "layer")
	if err = os.WriteFile(name, z.EncodeAll([]byte(secret), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := fileHoldsSecret(name); !found || err != nil {
		t.Errorf("compressed: %v", err)
	}
	if found, err := holdsSecret(strings.NewReader(far + Secret[1:])); found || err != nil {
		t.Errorf("of none: %t, %v", found, err)
	}
}
