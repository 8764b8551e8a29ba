package reqfile_test

import (
	"testing"

	"lamina.build/internal/resolve/reqfile"
)

func TestLogicalLines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		at         []int
	}{
		{"nothing", "", nil, nil},
		{"only comments", "# a\n   # b\n\t\n", nil, nil},
		{"byte order mark and CRLF", "\uFEFFa\r\n\r\nb\r\n", []string{"a", "b"}, []int{1, 3}},
		{"the old Macintosh", "a\rb", []string{"a", "b"}, []int{1, 2}},
		{"comments behind items", "a # x\nb\t#y\nc #", []string{"a", "b", "c"}, []int{1, 2, 3}},
		{"no comment", "https://h/x.zip#egg=x", []string{"x @ https://h/x.zip"}, []int{1}},
		{"continued", "a \\\n  >=1, \\\r\n <2\nb", []string{"a>=1,<2", "b"}, []int{1, 4}},
		{"continued at the end", "a\\", []string{"a"}, []int{1}},
		{"continued inside a word", "to\\\nrch", []string{"torch"}, []int{1}},
		{"continued into nothing", "a \\\n\nb", []string{"a", "b"}, []int{1, 3}},
		{"comment ends what is continued", "a \\\n# x \\\nb", []string{"a", "b"}, []int{1, 3}},
		{"comment at the end of a continued line", "a # x \\\n>=1\nb", []string{"a", "b"}, []int{1, 3}},
		{"UTF-16 of PowerShell", "\xff\xfea\x00\r\x00\n\x00b\x00", []string{"a", "b"}, []int{1, 2}},
		{"UTF-16, big-endian", "\xfe\xff\x00a\x00 \x00#\x20\xac\x00\n\x00b", []string{"a", "b"}, []int{1, 2}},
		{"an empty UTF-16", "\xff\xfe", nil, nil},
		{"comments in Latin-1", "# coding: latin-1\n# M\xfcller\na # \xe9", []string{"a"}, []int{3}},
		{"form feed between lines", "a\n\f\nb", []string{"a", "b"}, []int{1, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := read(t, tt.text)
			var at []int
			for _, r := range s.Requirements {
				at = append(at, r.At)
			}
			equal(t, "lines", lines(s.Requirements), tt.want)
			equal(t, "numbers", at, tt.at)
		})
	}
}

func TestIncludes(t *testing.T) {
	o := options(map[string]string{
		"requirements.txt": text("a", "-r sub/base.txt", "-rsub/base.txt", "b", "-c 'sub/pins of all.txt'", "--constraint=pins.txt -c\"sub/pins of all.txt\"", "a"),
		"sub/base.txt":     text("c", "-r ../requirements.txt", "--requirement deep/x.txt", "./dist/geo-1.0.tar.gz"),
		"sub/deep/x.txt":   text("d", "-r ../base.txt", "-r ./x.txt"),

		"sub/pins of all.txt": text("c==1", "-r more.txt", "-c ../pins.txt"),
		"sub/more.txt":        "e",
		"pins.txt":            text("d==1", "c==1"),
		"last.txt":            text("c==1", "e==1"),
	})
	o.Requirements = append(o.Requirements, "./sub/more.txt")
	o.Constraints = []string{"last.txt", "sub/more.txt"}
	s, err := reqfile.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "requirements", lines(s.Requirements), []string{"a", "c", "d", "./dist/geo-1.0.tar.gz", "b", "e"})
	equal(t, "constraints", lines(s.Constraints), []string{"c==1", "d==1", "e==1", "e"})
	equal(t, "where", s.Requirements[2].File, "sub/deep/x.txt")
}
