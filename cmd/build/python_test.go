package main

import (
	"os"
	"path/filepath"
	"testing"

	"lamina.build/internal/fault"
)

func TestTrusted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"company", "system"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	none, system := filepath.Join(dir, "none"), filepath.Join(dir, "system")
	tests := []struct {
		name, variable string
		places         []string
		want           string
		kind           fault.Kind
	}{
		{"environment", filepath.Join(dir, "company"), []string{system}, "company", 0},
		{"system", "", []string{none, system}, "system", 0},
		{"nothing", "", []string{none}, "", 0},
		{"environment that names nothing", none, []string{system}, "", fault.Usage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{env: func(name string) string {
				return map[string]string{"SSL_CERT_FILE": tt.variable}[name]
			}}
			got, err := a.trusted(tt.places)
			if string(got) != tt.want || (err != nil) != (tt.kind != 0) || err != nil && fault.KindOf(err) != tt.kind {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
