package apt

import (
	"fmt"
	"strings"
	"testing"

	"lamina.build/internal/debian"
)

func TestASetThatWouldNotInstallIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name     string
		packages []*debian.Package
		want     string
	}{
		{"nothing", nil, ""},
		{"complete", []*debian.Package{
			{Name: "a", Version: "1", Depends: "b (>= 2:1.0~rc1), c | d, libv (= 3)", PreDepends: "python3:any"},
			{Name: "b", Version: "2:1.0"},
			{Name: "d", Version: "1"},
			{Name: "e", Version: "1", Provides: "libv (= 3)"},
			{Name: "python3", Version: "3.11.2-1+b1", Breaks: "b (<< 2:1.0), libv (<< 3)"},
		}, ""},
		{"missing", []*debian.Package{{Name: "a", Version: "1", Depends: "b | c"}}, "a 1 requires b | c, which is missing"},
		{"too old", []*debian.Package{
			{Name: "a", Version: "1", PreDepends: "b (>= 2)"}, {Name: "b", Version: "2~rc1"},
		}, "a 1 requires b (>= 2)"},
		{"a provision without a version", []*debian.Package{
			{Name: "a", Version: "1", Depends: "v (>= 1)"}, {Name: "b", Version: "2", Provides: "v"},
		}, "a 1 requires v (>= 1)"},
		{"enemies", []*debian.Package{
			{Name: "a", Version: "1", Conflicts: "v"}, {Name: "b", Version: "2", Provides: "v"},
		}, "a 1 conflicts with b 2"},
		{"broken", []*debian.Package{
			{Name: "a", Version: "1", Breaks: "b (<< 3)"}, {Name: "b", Version: "2"},
		}, "a 1 conflicts with b 2"},
		{"other architectures", []*debian.Package{
			{Name: "a", Version: "1", Conflicts: "b:x32, v:i386", Depends: "b:any | c", Provides: "w:x32"}, {Name: "b", Version: "2", Provides: "v", Breaks: "w"},
		}, ""},
		{"this architecture", []*debian.Package{{Name: "a", Version: "1", Conflicts: "b:amd64"}, {Name: "b", Version: "2"}}, "a 1 conflicts with b 2 (b:amd64)"},
		{"another architecture's", []*debian.Package{{Name: "a", Version: "1", Depends: "b:i386"}, {Name: "b", Version: "2"}}, "a 1 requires b:i386, which is missing"},
		{"its own kind", []*debian.Package{
			{Name: "a", Version: "1", Provides: "mta", Conflicts: "mta"},
		}, ""},
		{"two versions", []*debian.Package{{Name: "a", Version: "1"}, {Name: "a", Version: "2"}}, "two versions, 1 and 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := fmt.Sprint(checkSet("amd64", tc.packages))
			if tc.want == "" && got != "[]" || !strings.Contains(got, tc.want) {
				t.Errorf("got %s, want %q", got, tc.want)
			}
		})
	}
}
