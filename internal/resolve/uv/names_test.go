package uv

import (
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

func TestWhatIsBoundForNothingIsTold(t *testing.T) {
	indexes := []Index{{Name: "torch", Packages: []string{"torch", "torhc", "wheel", "pywin32", "before"}}}
	both := []Request{
		{Set: lock.ParseSet("python"), Indexes: indexes, Files: requirements(t, map[string]string{"requirements.txt": "pywin32; sys_platform == \"win32\"\n"}), Places: map[string]string{"packages torhc": "image.toml:7:3"}},
		{Set: lock.ParseSet("python@big"), Indexes: append([]Index{{Name: "own", Packages: []string{"mine"}}}, indexes...)},
		{Set: lock.ParseSet("python@locked"), Lock: "pylock.toml", Indexes: []Index{{Name: "other", Packages: []string{"other"}}}},
	}
	var told notebook
	before := lock.Lock{Distributions: []lock.Distribution{{Name: "before", For: []lock.Set{lock.ParseSet("build:torch")}}, {Name: "mine", For: []lock.Set{lock.ParseSet("python")}}}}
	Options{Note: told.note, Before: before}.tellUnasked(both, answers(t, `{"distributions": [{"name": "torch"}], "builds": {"torch": [{"name": "wheel"}]}}`, "{}", "{}"))
	equal(t, "notes", told.told, []string{
		`image.toml:7:3: index torch has "torhc", which nothing requires, did you mean "torch"?`,
		`index own has "mine", which nothing requires`,
	})
}

func TestCheckNames(t *testing.T) {
	requires := func(names ...string) map[string][]string {
		all := map[string][]string{}
		for _, name := range names {
			all[name] = []string{"wheel"}
		}
		return all
	}
	const torch = `{"distributions": [{"name": "torch"}, {"name": "numpy"}], "omitted": [{"requirement": "flash-attn"}]}`
	tests := []struct {
		name     string
		requests []Request
		answers  []string
		want     string
	}{
		{"nothing to say", []Request{{Set: lock.ParseSet("python")}}, []string{torch}, ""},
		{
			"all are used",
			[]Request{{
				Set: lock.ParseSet("python"), Files: requirements(t, map[string]string{"requirements.txt": "pywin32; sys_platform == \"win32\"\n"}), Sources: map[string]string{"native": "src/native"},
				Optional: []string{"flash-attn", "pywin32"}, BuildRequires: requires("numpy", "native"),
			}},
			[]string{torch},
			"",
		},
		{
			"of another variant",
			[]Request{{Set: lock.ParseSet("python"), Optional: []string{"apex"}, BuildRequires: requires("apex")}, {Set: lock.ParseSet("python@big")}},
			[]string{torch, `{"distributions": [{"name": "apex"}]}`},
			"",
		},
		{
			"of a pylock.toml, which may not apply here",
			[]Request{{Set: lock.ParseSet("python"), Lock: "pylock.toml", Optional: []string{"a-pex"}}},
			[]string{torch},
			"",
		},
		{
			"of a project, likewise",
			[]Request{{Set: lock.ParseSet("python"), Project: ".", BuildRequires: requires("apex")}},
			[]string{torch},
			"",
		},
		{
			"slips of the pen, told once",
			[]Request{
				{Set: lock.ParseSet("python"), Optional: []string{"flash-atn"}, BuildRequires: requires("nunpy", "nothing-like-it"), Places: map[string]string{"optional flash-atn": "image.toml:3:4"}},
				{Set: lock.ParseSet("python@big"), Optional: []string{"flash-atn"}},
			},
			[]string{torch, torch},
			`image.toml:3:4: [python] optional: "flash-atn" is not an installed package, did you mean "flash-attn"?` + "\n" +
				`[python] build-requires: "nothing-like-it" is not an installed package` + "\n" +
				`[python] build-requires: "nunpy" is not an installed package, did you mean "numpy"?`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkNames(tt.requests, answers(t, tt.answers...))
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if got := failure.KindOf(err); got != failure.Usage {
				t.Errorf("kind is %d", got)
			}
		})
	}
}
