package pep508_test

import (
	"testing"

	"lamina.build/internal/resolve/pep508"
)

// The results are those of packaging 26.4, which was compared on 30,000 random questions.
func TestAdmits(t *testing.T) {
	for specifiers, versions := range map[string][2][]string{ // admitted, not admitted
		"":                {{"1", "odd"}, nil},
		"==1.0":           {{"1", "1.0.0", "1.0+cu124", "v1.0"}, {"1.0.1", "1.0a1", "1.0.post1", "odd"}},
		"==1.0+cu124":     {{"1.0+cu124", "1+CU124"}, {"1.0", "1.0+cu118"}},
		"!=1.0":           {{"1.0.post1", "1.1"}, {"1", "1.0+cu124"}},
		"==1.2.*":         {{"1.2", "1.2.9", "1.2rc1", "1.2.post1+x", "1.2.dev0"}, {"1.3", "1.20", "1.1.9", "1!1.2"}},
		"!=1.2.*":         {{"1.3"}, {"1.2.1"}},
		"==1!1.*":         {{"1!1.5"}, {"1.5", "1!2"}},
		">=1.0,<2":        {{"1.0", "1.9+x"}, {"2", "2.0rc1", "2.0.dev3", "0.9"}},
		"<2.0rc1":         {{"2.0b2", "2.0.dev1"}, {"2.0rc1", "2.0"}},
		"<2.0.post1":      {{"2.0", "2.0rc1"}, {"2.0.post1"}},
		">1.0":            {{"1.1", "1.0.1"}, {"1.0", "1.0.post1", "1.0+cu124"}},
		">1.0.post1":      {{"1.0.post2"}, {"1.0.post1", "1.0"}},
		">1.post1":        {{"1.post2"}, {"1.post1", "1.0"}},
		"<1.post1":        {{"1.0", "1.0rc1"}, {"1.post1"}},
		">1!1.0":          {{"1!1.0.1"}, {"1!1.0.post1", "2"}},
		">v1.0":           {{"1.1"}, {"1.0.post1"}},
		"<v2.0":           {{"1.9"}, {"2.0rc1"}},
		">=1,<∞":          {{"1"}, {"0", "∞"}},
		">1.0b2":          {{"1.0rc1", "1.0.post1", "1.0"}, {"1.0b2", "1.0b1"}},
		"<=1.0":           {{"1.0+x", "1.0rc1"}, {"1.0.post1"}},
		"~=1.4.2":         {{"1.4.2", "1.4.9"}, {"1.5", "1.4.1"}},
		"~=1.4":           {{"1.4", "1.9"}, {"2.0", "1.3"}},
		"===1.0":          {{"1.0"}, {"1.0.0"}},
		">=5.1.*":         {{"5.1", "6"}, {"5.0"}},
		">=anything<at":   {{"1"}, nil},
		"==2.7.4-1":       {{"2.7.4.post1", "2.7.4.rev1"}, {"2.7.4"}},
		"==1.0c1":         {{"1.0rc1"}, {"1.0"}},
		">= 1.0 , != 1.5": {{"1.4"}, {"1.5"}},
	} {
		for i, admitted := range []bool{true, false} {
			for _, version := range versions[i] {
				if got := pep508.Admits(specifiers, version); got != admitted {
					t.Errorf("%q and %s: got %v", specifiers, version, got)
				}
			}
		}
	}
}

func TestSameVersion(t *testing.T) {
	for a, b := range map[string]string{"1.0": "1", "1.0+CU.1": "1+cu-1", "2.7.4-1": "2.7.4.post1", "odd": "odd"} {
		if !pep508.SameVersion(a, b) {
			t.Errorf("%s and %s are two", a, b)
		}
	}
	for a, b := range map[string]string{"1.0": "1.1", "1.0+cu1": "1.0", "1.0a1": "1.0"} {
		if pep508.SameVersion(a, b) {
			t.Errorf("%s and %s are one", a, b)
		}
	}
}

func TestMarkers(t *testing.T) {
	const yes, no, unknown = pep508.Yes, pep508.No, pep508.Unknown
	for marker, want := range map[string]pep508.Verdict{
		"":                                yes,
		`python_version < "3.8"`:          no,
		`"3.9" <= python_version`:         yes,
		`python_version >= '3.11'`:        yes, // not as texts
		`python_full_version == "3.11.*"`: yes, `python_version in "3.10 3.11"`: yes, `python_version not in "3.11"`: no,
		`sys_platform == "win32"`: no, `os.name == "posix"`: yes, `extra == "x"`: no,
		`platform_machine == "x86_64" and sys_platform == "linux"`:                 yes,
		`sys_platform == "win32" and python_version > "3" or os_name == "posix"`:   yes,
		`sys_platform == "win32" and (python_version > "3" or os_name == "posix")`: no,
		`platform_release > "6"`:                       unknown,
		`platform_release > "6" and os_name == "nt"`:   no,
		`platform_release > "6" or os_name == "posix"`: yes,
		`nothing == "1"`:                               unknown,
		`python_version >`:                             unknown,
		`(os_name == "posix"`:                          unknown,
		`os_name == "posix" )`:                         unknown,
		`os_name not "posix"`:                          unknown,
		`os_name ? "posix"`:                            unknown,
		`python_version == "3.1*"`:                     unknown,
		`implementation_name > "a"`:                    unknown,
		`platform_python_implementation != "CPython"`:  no,
	} {
		if got := pep508.Linux("3.11.2", "x86_64").Holds(marker); got != want {
			t.Errorf("%s: got %v, want %v", marker, got, want)
		}
	}
	if got := pep508.Linux("", "x86_64").Holds(`python_version > "3"`); got != unknown {
		t.Errorf("of no Python: got %v", got)
	}
}
