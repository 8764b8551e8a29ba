package cache_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/cache"
)

func TestParseRemote(t *testing.T) {
	tests := []struct {
		name, text string
		export     bool
		want       cache.Entry
		message    string
	}{
		{"bare reference", "registry.example/app:c", false, cache.Entry{Type: "registry", Attrs: map[string]string{"ref": "registry.example/app:c"}}, ""},
		{"export is max by default", "type=registry,ref=r.example/a", true, cache.Entry{Type: "registry", Attrs: map[string]string{"ref": "r.example/a", "mode": "max"}}, ""},
		{"mode is kept", "type=local,dest=d,mode=min", true, cache.Entry{Type: "local", Attrs: map[string]string{"dest": "d", "mode": "min"}}, ""},
		{"inline", "type=inline", true, cache.Entry{Type: "inline", Attrs: map[string]string{}}, ""},
		{"quoted comma", `type=local,"src=a,b"`, false, cache.Entry{Type: "local", Attrs: map[string]string{"src": "a,b"}}, ""},
		{"unknown type", "type=gcs,bucket=b", false, cache.Entry{}, `type "gcs" is not one of registry, local`},
		{"inline import", "type=inline", false, cache.Entry{}, `type "inline" is not one of registry, local`},
		{"unknown attribute", "type=local,src=d,dest=e", false, cache.Entry{}, `type local has no "dest", it has src, tag, digest`},
		{"missing folder", "type=local", true, cache.Entry{}, "type local needs dest="},
		{"bad mode", "type=registry,ref=r,mode=all", true, cache.Entry{}, `mode "all" is neither min nor max`},
		{"no value", "type=registry,ref", false, cache.Entry{}, `"ref" is not key=value`},
		{"twice", "type=registry,ref=a,ref=b", false, cache.Entry{}, `"ref" is given twice`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parse := cache.ParseImport
			if tt.export {
				parse = cache.ParseExport
			}
			got, err := parse(tt.text)
			if tt.message != "" {
				if err == nil || !strings.Contains(err.Error(), tt.message) {
					t.Fatalf("got error %v, want %s", err, tt.message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEachVariantHasItsOwnReference(t *testing.T) {
	for ref, want := range map[string]string{
		"r.example:5000/app":           "r.example:5000/app:cache-debug-linux-amd64",
		"r.example:5000/app:mine":      "r.example:5000/app:mine",
		"r.example/app@sha256:0123abc": "r.example/app@sha256:0123abc",
	} {
		e := cache.Entry{Type: "registry", Attrs: map[string]string{"ref": ref}}
		if got := e.For("debug", "linux/amd64").Attrs["ref"]; got != want {
			t.Errorf("%s became %s, want %s", ref, got, want)
		}
		if e.Attrs["ref"] != ref {
			t.Errorf("For changed the entry it was called on")
		}
	}
}

func TestMountsAreKeptApart(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range []cache.Namespace{{"bookworm", "linux/amd64"}, {"trixie", "linux/amd64"}, {"bookworm", "linux/arm64"}} {
		for _, m := range []cache.Mount{cache.CCache(n), cache.UV("0123", n.Distribution+n.Platform)} {
			if seen[m.ID] {
				t.Errorf("two caches are called %s", m.ID)
			}
			seen[m.ID] = true
		}
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add("type=registry,ref=r.example/app,mode=max")
	f.Add(`"a""b`)
	f.Fuzz(func(t *testing.T, s string) {
		if e, err := cache.ParseExport(s); err == nil && e.Type == "" {
			t.Errorf("%q gave an entry without a type", s)
		}
	})
}

func ExampleParseExport() {
	e, err := cache.ParseExport("type=registry,ref=registry.example/app")
	fmt.Println(e.For("production", "linux/amd64").Attrs["ref"], e.Attrs["mode"], err)
	// Output: registry.example/app:cache-production-linux-amd64 max <nil>
}

func TestSplitKeepsWhatIsPartOfTheImage(t *testing.T) {
	r := cache.Remote{Exports: []cache.Entry{{Type: "registry"}, {Type: "inline"}, {Type: "local"}}}
	inline, apart := r.Split()
	if len(inline) != 1 || inline[0].Type != "inline" || len(apart) != 2 || len(r.Exports) != 3 {
		t.Errorf("inline %v, apart %v", inline, apart)
	}
}
