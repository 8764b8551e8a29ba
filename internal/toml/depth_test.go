package toml_test

import (
	"strings"
	"testing"

	"lamina.build/internal/toml"
)

func TestCheckDepth(t *testing.T) {
	const million = 1_000_000
	for name, tt := range map[string]struct{ text, want string }{
		"flat":            {"a = 1\n[b.c]\nd = [[1], {e.f = 2}]\n[[g]]\n", ""},
		"wide":            {"a = [" + strings.Repeat("[1, {b = 2}], ", 100_000) + "]", ""},
		"no TOML":         {"a = [", ""},
		"lists":           {"\na = " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "2:1: more than 32 nested tables and lists"},
		"inline tables":   {"a = 1\n  b = " + strings.Repeat("{c = ", 40) + "1" + strings.Repeat("}", 40), "2:3: more than 32"},
		"a key":           {"[x]\na" + strings.Repeat(".a", million) + " = 1", "2:1: more than 32"},
		"a header":        {"[a" + strings.Repeat(".a", million) + "]", "1:2: more than 32"},
		"an inline key":   {"a = [{b" + strings.Repeat(".b", million) + " = 1}]", "1:1: more than 32"},
		"behind a string": {"a = \"[[[[\"\nb" + strings.Repeat(".b", 32) + " = 1", "2:1: more than 32"},
	} {
		t.Run(name, func(t *testing.T) {
			err := toml.CheckDepth("f.toml", []byte(tt.text))
			if got := strings.TrimPrefix(errText(err), "f.toml:"); tt.want == "" && err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
