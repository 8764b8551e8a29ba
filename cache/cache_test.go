package cache_test

import (
	"errors"
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
		{"export is max by default", "type=registry,ref=r.example/a", true, cache.Entry{Type: "registry", Attrs: map[string]string{"ref": "r.example/a", "mode": "max", "compression": "zstd", "force-compression": "true"}}, ""},
		{"mode is kept", "type=local,dest=d,mode=min", true, cache.Entry{Type: "local", Attrs: map[string]string{"dest": "d", "mode": "min", "compression": "zstd", "force-compression": "true"}}, ""},
		{"compression is kept", "type=local,dest=d,compression=gzip,force-compression=false", true, cache.Entry{Type: "local", Attrs: map[string]string{"dest": "d", "mode": "max", "compression": "gzip", "force-compression": "false"}}, ""},
		{"inline", "type=inline", true, cache.Entry{Type: "inline", Attrs: map[string]string{}}, ""},
		{"quoted comma", `type=local,"src=a,b"`, false, cache.Entry{Type: "local", Attrs: map[string]string{"src": "a,b"}}, ""},
		{"unknown type", "type=gcs,bucket=b", false, cache.Entry{}, `type "gcs" is not one of registry, local, gha, s3, azblob`},
		{"inline import", "type=inline", false, cache.Entry{}, `type "inline" is not one of registry, local, gha, s3, azblob`},
		{"GitHub's cache", "type=gha,scope=s", true, cache.Entry{Type: "gha", Attrs: map[string]string{"scope": "s", "mode": "max"}}, ""},
		{"GitHub's has its own compression", "type=gha,compression=zstd", true, cache.Entry{}, `type gha has no "compression"`},
		{"a bucket", "type=s3,bucket=b,region=r,endpoint_url=http://s,use_path_style=true", true, cache.Entry{Type: "s3", Attrs: map[string]string{
			"bucket": "b", "region": "r", "endpoint_url": "http://s", "use_path_style": "true", "mode": "max", "compression": "zstd", "force-compression": "true",
		}}, ""},
		{"no bucket", "type=s3,region=r", false, cache.Entry{}, "type s3 needs bucket="},
		{"Azure", "type=azblob,account_url=https://a", false, cache.Entry{Type: "azblob", Attrs: map[string]string{"account_url": "https://a"}}, ""},
		{"no account", "type=azblob,name=n", true, cache.Entry{}, "type azblob needs account_url="},
		{"unknown attribute", "type=local,src=d,dest=e", false, cache.Entry{}, `type local has no "dest", it has src, tag, digest`},
		{"missing directory", "type=local", true, cache.Entry{}, "type local needs dest="},
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
	for service, want := range map[string]string{"gha": "scope", "s3": "name", "azblob": "name"} {
		e := cache.Entry{Type: service, Attrs: map[string]string{"mode": "max"}}
		if got := e.For("debug", "linux/amd64").Attrs[want]; got != "cache-debug-linux-amd64" || e.Attrs[want] != "" {
			t.Errorf("%s has the name %q", service, got)
		}
		if e.Attrs[want] = "mine"; e.For("debug", "linux/amd64").Attrs[want] != "mine" {
			t.Errorf("%s lost its name", service)
		}
	}
	for _, e := range []cache.Entry{{Type: "inline"}, {Type: "local", Attrs: map[string]string{"dest": "d"}}} {
		if got := e.For("debug", "linux/amd64"); !cmp.Equal(got, e) {
			t.Errorf("%v became %v", e, got)
		}
	}
}

// The variables of a service are used, and the user's attributes win.
func TestServicesAreReachedByTheirVariables(t *testing.T) {
	env := map[string]string{
		"ACTIONS_CACHE_URL": "http://v1", "ACTIONS_RESULTS_URL": "http://v2", "ACTIONS_RUNTIME_TOKEN": "t", "AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "id",
		"AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "st", "BUILDKIT_AZURE_STORAGE_CONTAINER": "c",
	}
	type attrs = map[string]string
	for _, tt := range []struct {
		kind      string
		v2        string
		has, want attrs
	}{
		{"gha", "", attrs{}, attrs{"url": "http://v1", "token": "t"}},
		{"gha", "True", attrs{"token": "mine"}, attrs{"url": "http://v1", "url_v2": "http://v2", "token": "mine"}},
		{"gha", "", attrs{"version": "2"}, attrs{"version": "2", "url": "http://v1", "url_v2": "http://v2", "token": "t"}},
		{"s3", "", attrs{"bucket": "b"}, attrs{"bucket": "b", "region": "r", "access_key_id": "id", "secret_access_key": "key", "session_token": "st"}},
		{"s3", "", attrs{"access_key_id": "mine", "region": "x"}, attrs{"access_key_id": "mine", "region": "x"}},
		{"azblob", "", attrs{}, attrs{"container": "c"}},
		{"registry", "True", attrs{"ref": "r"}, attrs{"ref": "r"}},
	} {
		env["ACTIONS_CACHE_SERVICE_V2"] = tt.v2
		got := cache.Entry{Type: tt.kind, Attrs: tt.has}.From(func(name string) string { return env[name] })
		if diff := cmp.Diff(tt.want, got.Attrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.kind, diff)
		}
	}
	secret := cache.Entry{Type: "s3", Attrs: attrs{"bucket": "b", "secret_access_key": "key"}}
	if got := secret.Name(); got != "s3 b" {
		t.Errorf("its name is %q", got)
	}
}

// An engine's cache key doesn't include a mount's ID: mounts with different content must
// not share one.
func TestMountsAreKeptApart(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range []cache.Mount{
		cache.UV("0123", "python"), cache.UV("0123", "python@debug"), cache.UV("4567", "python"), cache.UV("4567", "build"),
	} {
		if seen[m.ID] {
			t.Errorf("two caches have the ID %s", m.ID)
		}
		seen[m.ID] = true
	}
}

// Engines already have these names: under others, everybody's cache would be empty.
func TestMounts(t *testing.T) {
	for _, tt := range []struct{ got, want cache.Mount }{
		// Code of sdists can write there: one exec at a time, and nothing else reads it.
		{cache.UV("RANDOM", "python@debug"), cache.Mount{ID: "lamina-uv-RANDOM-python@debug", Target: "/var/cache/uv"}},
	} {
		if tt.got != tt.want {
			t.Errorf("got %+v, want %+v", tt.got, tt.want)
		}
	}
}

// Attributes that BuildKit doesn't read are errors, and all that it reads are accepted.
func TestAttributes(t *testing.T) {
	compression := []string{"compression=zstd", "force-compression=true", "oci-mediatypes=true", "image-manifest=true"}
	tests := []struct {
		name  string
		parse func(string) (cache.Entry, error)
		needs string // the required attributes
		takes []string
		not   []string
	}{
		{"registry import", cache.ParseImport, "type=registry,ref=r.example/a", []string{"registry.insecure=true"}, append(compression, "mode=max", "ignore-error=true")},
		{"registry export", cache.ParseExport, "type=registry,ref=r.example/a", append(compression, "mode=min", "ignore-error=true", "registry.insecure=true"), []string{"dest=d", "tag=t", "compression-level=3"}},
		{"local import", cache.ParseImport, "type=local,src=d", []string{"tag=t", "digest=sha256:aa"}, append(compression, "mode=max", "dest=d", "reset=true")},
		{"local export", cache.ParseExport, "type=local,dest=d", append(compression, "mode=max", "tag=t", "ignore-error=true", "reset=true"), []string{"src=d", "digest=x", "ref=r"}},
		{"inline export", cache.ParseExport, "type=inline", nil, append(compression, "mode=max", "ref=r")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, attribute := range tt.takes {
				e, err := tt.parse(tt.needs + "," + attribute)
				key, value, _ := strings.Cut(attribute, "=")
				if err != nil || e.Attrs[key] != value {
					t.Errorf("%s: got %v, %v", attribute, e, err)
				}
			}
			for _, attribute := range tt.not {
				key, _, _ := strings.Cut(attribute, "=")
				if _, err := tt.parse(tt.needs + "," + attribute); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has no %q", key)) {
					t.Errorf("%s: got error %v", attribute, err)
				}
			}
		})
	}
}

func TestAllProblemsOfAnEntryAreToldAtOnce(t *testing.T) {
	_, err := cache.ParseExport("type=local,mode=all,src=d,sauce=x,compression=estargz")
	for _, want := range []string{`compression "estargz" is not one of zstd, gzip, uncompressed`, `has no "sauce"`, `has no "src"`, "needs dest=", `mode "all"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if _, err = cache.ParseImport(`type=registry,"ref=a`); err == nil || !strings.HasPrefix(err.Error(), `cache "type=registry,\"ref=a": `) {
		t.Errorf("an open quote: %v", err)
	}
}

// Errors don't quote secrets.
func TestSecretsStaySecret(t *testing.T) {
	for _, text := range []string{
		"type=s3,bucket=b,mode=all,secret_access_key=GEHEIM", "type=s3,secret_access_key=GEHEIM,region=r", "type=s3,bucket=b,secret_acces_key=GEHEIM", `type=s3,bucket=b,sauce=x,"session_token=a,GEHEIM"`,
		"type=gha,Token = GEHEIM,mode=all", "type=azblob,secret_access_key=GEHEIM", `type=s3,secret_access_key=GEHEIM,"x`, "type=s4,secret_access_key=GEHEIM\nGEHEIM",
	} {
		if _, err := cache.ParseExport(text); err == nil || strings.Contains(err.Error(), "GEHEIM") || !strings.Contains(err.Error(), "=…") {
			t.Errorf("%s: got %v", text, err)
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

func ExampleParseImport() {
	for _, text := range []string{"registry.example/app:cache", "type=local,src=/srv/cache"} {
		e, err := cache.ParseImport(text)
		fmt.Println(e.Type, e.Attrs, err)
	}
	// Output:
	// registry map[ref:registry.example/app:cache] <nil>
	// local map[src:/srv/cache] <nil>
}

// Entries made by a program must be ones that a line can express.
func TestCheck(t *testing.T) {
	fits := cache.Remote{
		Imports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r"}}, {Type: "local", Attrs: map[string]string{"src": "d"}}},
		Exports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r", "mode": "max"}}, {Type: "inline"}},
	}
	if err := errors.Join(cache.Remote{}.Check(), fits.Check()); err != nil {
		t.Error(err)
	}
	bad := cache.Remote{
		Imports: []cache.Entry{{Type: "inline"}, {Type: "local", Attrs: map[string]string{"dest": "d"}}}, Exports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r", "mode": "all"}}, {Type: ""}},
	}
	err := bad.Check()
	for _, want := range []string{
		`cache "type=inline": type "inline" is not one of registry, local`, `cache "type=local": type local has no "dest"`, `cache "type=local": type local needs src=`,
		`cache "type=registry": mode "all" is neither min nor max`, `cache "type=": type "" is not one of registry, local, inline`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
