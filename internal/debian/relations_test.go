package debian_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/debian"
)

func TestRelationsAreRead(t *testing.T) {
	t.Parallel()
	for field, want := range map[string][][]debian.Relation{
		"": nil, " , ": nil,
		"libc6 (>= 2.36), perl:any | python3:amd64(=1:3.11~rc1+b1),": {
			{{Name: "libc6", Op: ">=", Version: "2.36"}},
			{{Name: "perl", Arch: "any"}, {Name: "python3", Arch: "amd64", Op: "=", Version: "1:3.11~rc1+b1"}},
		},
		"libc6-i386:x32, a:musl-linux-any (<2)": {{{Name: "libc6-i386", Arch: "x32"}}, {{Name: "a", Arch: "musl-linux-any", Op: "<=", Version: "2"}}},
	} {
		got, err := debian.ParseRelations(field)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got)\n%s", field, err, diff)
		}
	}
	for _, field := range []string{"a b", "a (2)", "a (>= )", "a [amd64]", "a | ", ":any", "a (>= 1"} {
		if got, err := debian.ParseRelations(field); err == nil {
			t.Errorf("%q is read as %v", field, got)
		}
	}
}

func TestRelationsAreMet(t *testing.T) {
	t.Parallel()
	for have, ops := range map[string]string{"1": "<< <=", "2~rc1": "<< <=", "2": "<= = >=", "1:1": ">= >>", "": ""} {
		for _, op := range []string{"<<", "<=", "=", ">=", ">>"} {
			want := slices.Contains(strings.Fields(ops), op)
			if got := (debian.Relation{Name: "a", Op: op, Version: "2"}).Met(have); got != want {
				t.Errorf("%q %s 2: %v", have, op, got)
			}
		}
	}
	if !(debian.Relation{Name: "a"}).Met("") {
		t.Error("a relation without a version wants one")
	}
}
