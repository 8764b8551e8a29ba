package hub_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/hub"
	"lamina.build/lock"
)

func TestParseSums(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 64), strings.Repeat("0", 64)
	text := "\xef\xbb\xbf# made by hand\r\n" + a + "  x/y.bin\r\n\n" + strings.ToUpper(a) + " *./z  z\n" + b + "  a\\b"
	want := []hub.File{{ModelFile: lock.ModelFile{Path: "x/y.bin", SHA256: a}}, {ModelFile: lock.ModelFile{Path: "z  z", SHA256: a}}, {ModelFile: lock.ModelFile{Path: `a\b`, SHA256: b}}}
	got, err := hub.ParseSums("list", []byte(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("files (-want +got):\n%s%v", diff, err)
	}
	for row, says := range map[string]string{
		a:                                   "not a line of sha256sum",
		a + "  ":                            "not a line of sha256sum",
		a + " x":                            "not a line of sha256sum",
		a + "\tx y":                         "not a line of sha256sum",
		a[1:] + "   x":                      "not a SHA-256",
		strings.Repeat("g", 64) + "  x":     "is not a SHA-256",
		"\\" + a + "  x\\ny":                "a newline or a backslash",
		a + "  /x":                          "not a clean path",
		a + "  x/":                          "not a clean path",
		a + "  .":                           "not a clean path",
		"SHA256 (x) = " + a:                 "not a line of sha256sum",
		fmt.Sprintf("%s  %s", a, "x\x00y"):  "control character",
		a + "  " + strings.Repeat("n", 300): "longer than 255 bytes",
	} {
		got, err := hub.ParseSums("list", []byte(row))
		if err == nil || !strings.HasPrefix(err.Error(), "list:1: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, %v, want %s", row, got, err, says)
		}
	}
}

// FuzzSumsRoundTrip compares parsed lists before and after formatting.
func FuzzSumsRoundTrip(f *testing.F) {
	a := strings.Repeat("a", 64)
	for _, seed := range []string{"", "#", a + "  x", a + " *./x\r\n" + a + "  y z", "\\" + a + "  x", a + "  ../x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := hub.ParseSums("list", text)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, file := range files {
			if !fs.ValidPath(file.Path) || strings.ContainsRune(file.Path, '\n') {
				t.Errorf("accepted the path %q", file.Path)
			}
			fmt.Fprintf(&again, "%s  ./%s\n", file.SHA256, file.Path)
		}
		second, err := hub.ParseSums("list", []byte(again.String()))
		if diff := cmp.Diff(files, second); diff != "" || err != nil {
			t.Errorf("files (-first +second):\n%s%v", diff, err)
		}
	})
}
