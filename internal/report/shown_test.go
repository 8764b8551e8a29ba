package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile maps foreign texts to what is printed.
func hostile() map[string]string {
	return map[string]string{
		"":                           "",
		"plain\ttext, 72 °C, 顔 ok\n": "plain\ttext, 72 °C, 顔 ok\n",
		"ends\r\nof\r\nlines":        "ends\nof\nlines",
		"\x1b]52;c;cm0gLXJm\a":       `\x1b]52;c;cm0gLXJm\a`,
		"\x1b[2J\x1b[1;1Hroot#":      `\x1b[2J\x1b[1;1Hroot#`,
		"\u009b2J":                   `\u009b2J`,
		"\x9b2J and \xff":            `\x9b2J and \xff`,
		"failed\rok    ":             `failed\rok    `,
		"del\x7f\b\v\f\x00":          `del\x7f\b\v\f\x00`,
		"\u202egnp.exe":              `\u202egnp.exe`,
		"\ufeffmark \ufffd":          `\ufeffmark ` + "\ufffd",
		"tag \U000e0001":             `tag \U000e0001`,
	}
}

func TestNothingDrivesTheTerminal(t *testing.T) {
	for text, want := range hostile() {
		if got := Shown(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// A text is shown the same however it is cut.
func TestPiecesOfText(t *testing.T) {
	for text, want := range hostile() {
		for cut := range len(text) + 1 {
			var out strings.Builder
			w := &ShownWriter{To: &out}
			for _, piece := range []string{text[:cut], text[cut:], "\n"} {
				if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatalf("Write(%q) is %d, %v", piece, n, err)
				}
			}
			if out.String() != want+"\n" {
				t.Errorf("%q cut at %d is shown as %q", text, cut, out.String())
			}
		}
	}
}

func FuzzShown(f *testing.F) {
	for text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Shown(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(strings.ReplaceAll(got, "\ufffd", ""), drives) || Shown(got) != got {
			t.Errorf("%q is shown as %q", text, got)
		}
	})
}
