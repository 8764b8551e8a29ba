package output_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/output"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		line string
		want output.Output
	}{
		{"usual layout", "type=oci", output.Output{Type: output.OCI}},
		{"layout elsewhere", "type=oci,dest=out,tar=false", output.Output{Type: output.OCI, Dest: "out"}},
		{"archive, as in buildx", "type=oci,dest=a.tar", output.Output{Type: output.OCI, Dest: "a.tar", Tar: true}},
		{"archive to stdout", "dest=-,type=oci", output.Output{Type: output.OCI, Dest: "-", Tar: true}},
		{
			"docker", "type=docker,dest=a.tar,name=a:1,compression=gzip",
			output.Output{
				Type: output.Docker, Dest: "a.tar", Tar: true, Names: []string{"a:1"},
				Compression: output.Gzip,
			},
		},
		{
			"push", `type=image,"name=r.example/a:1,r.example/a:2",name=b,push=true,registry.insecure=true`,
			output.Output{
				Type: output.Image, Push: true, Insecure: true,
				Names: []string{"r.example/a:1", "r.example/a:2", "b"},
			},
		},
		{"registry", "type=registry,name=r.example/a", output.Output{Type: output.Image, Push: true, Names: []string{"r.example/a"}}},
		{
			"by digest", "type=image,push-by-digest=true,name-canonical=true,push=true,name=r.example/a",
			output.Output{Type: output.Image, Push: true, ByDigest: true, Names: []string{"r.example/a"}},
		},
		{"docker itself", "type=docker", output.Output{Type: output.Docker, Tar: true}},
		{"nothing but caches", "type=cacheonly", output.Output{Type: output.CacheOnly}},
		{"bare files as a tar", "type=tar,dest=a.tar", output.Output{Type: output.Tar, Dest: "a.tar", Tar: true}},
		{"lone dash", "-", output.Output{Type: output.Tar, Dest: "-", Tar: true}},
		{
			"annotations", `type=oci,annotation.Some.key=a=b,"annotation-manifest[linux/amd64].c=d,e",annotation-manifest-descriptor.f=`,
			output.Output{Type: output.OCI, Annotations: []output.Annotation{
				{Key: "Some.key", Value: "a=b"}, {Key: "c", Value: "d,e", Platform: "linux/amd64"}, {Key: "f", Descriptor: true},
			}},
		},
		{"bare files", "type=local,dest=root", output.Output{Type: output.Local, Dest: "root"}},
		{"lone directory", "./root", output.Output{Type: output.Local, Dest: "./root"}},
		{"dest with a comma", `type=local,"dest=a,b"`, output.Output{Type: output.Local, Dest: "a,b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := output.Parse(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name string
		line string
		want []string
	}{
		{"nothing", " ", []string{"nothing is given"}},
		{"two lines", "type=oci\ntype=oci", []string{"more than one line"}},
		{"quotes", `type=oci,"dest=a`, []string{"quotes don't match"}},
		{"no type", "dest=a", []string{"type is missing"}},
		{"unknown type", "type=ocl", []string{`type "ocl" is not one of oci`}},
		{"registry without a push", "type=registry,push=false", []string{"leave push=false out"}},
		{"canonical names", "type=registry,name-canonical=true", []string{"name-canonical requires push-by-digest=true"}},
		{"tar nowhere", "type=tar,compression=zstd", []string{"type=tar needs a dest", "bare files: leave compression out"}},
		{"cache with an image", "type=cacheonly,dest=a,name=b,push=true,push-by-digest=true", []string{
			"leaves no image: leave dest out", "leave name out", "only type=image has a registry: leave push out", "leave push-by-digest out",
		}},
		{"annotation of an index", "type=oci,annotation-index[linux/amd64].a=b,annotation-x.a=b,annotation-manifest.=b", []string{
			"an index is of all platforms", `annotation-x.a: "x" is not manifest`, `annotation-manifest.: "" is not a key`,
		}},
		{"annotation of nothing", "type=local,dest=a,annotation.a=b", []string{"type=local has no place for annotation-manifest.a"}},
		{"annotation next to an image", "type=image,annotation-manifest-descriptor.a=b", []string{"type=image has no place for annotation-manifest-descriptor.a"}},
		{"unknown key", "type=oci,output=a", []string{`"output" is not one of type, dest`}},
		{"no value", "type=oci,tar", []string{`"tar" is not key=value`}},
		{"twice", "type=oci,dest=a,dest=b", []string{"dest is given twice"}},
		{"bad boolean", "type=image,push=yes", []string{"push=yes is neither true nor false"}},
		{"bad name", `type=image,"name=a,"`, []string{`"" is not the name of an image`}},
		{"archive of nothing", "type=oci,tar=true", []string{"tar=true needs a dest"}},
		{"directory to stdout", "type=oci,dest=-,tar=false", []string{"tar=false needs a directory"}},
		{"docker with zstd", "type=docker,dest=a,compression=zstd", []string{"gzip or uncompressed"}},
		{"docker directory", "type=docker,dest=a,tar=false", []string{"always an archive"}},
		{"local nowhere", "type=local", []string{"needs a directory as dest"}},
		{"local to stdout", "type=local,dest=-", []string{"needs a directory as dest"}},
		{"local name", "type=local,dest=a,name=b", []string{"bare files: leave name out"}},
		{"push a file", "type=oci,push=true", []string{"only type=image has a registry: leave push out"}},
		{"given anyway", "type=registry,name=a/b,oci-mediatypes=true,rewrite-timestamp=true,force-compression=true", []string{
			"oci-mediatypes: every image is made this way", "rewrite-timestamp: every image", "force-compression: every image",
		}},
		{"level", "type=oci,compression=gzip,compression-level=9", []string{"compression-level: an engine keeps the level at which it first made"}},
		{
			"all at once", "type=image,dest=a,push=maybe,what=1,compression=lz4",
			[]string{"leave dest out", "push=maybe", `"what" is not one of`, `compression "lz4"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := output.Parse(tt.line)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("got %d problems, want %d: %v", got, len(tt.want), err)
			}
		})
	}
}

func TestParseAll(t *testing.T) {
	all, err := output.ParseAll([]string{"type=oci", "type=image,push=true", "type=image,name=b", "out"})
	if err != nil || len(all) != 4 {
		t.Errorf("got %v, %v", all, err)
	}
	all, err = output.ParseAll([]string{"type=oci,dest=a", "type=local", "type=nothing"})
	if err == nil || !strings.Contains(err.Error(), "needs a directory") || !strings.Contains(err.Error(), `"nothing"`) || len(all) != 1 {
		t.Errorf("got %v, %v, want two problems", all, err)
	}
}

// A program may set what no line can express, and what no two lines may.
func TestCheckAll(t *testing.T) {
	archive := output.Output{Type: output.OCI, Dest: "a", Tar: true}
	for _, tt := range []struct {
		name string
		all  []output.Output
		want string // "" is no problem
	}{
		{"none", nil, ""},
		{"all kinds", []output.Output{
			{Type: output.OCI},
			archive,
			{Type: output.Docker, Dest: "-", Tar: true, Names: []string{"a"}},
			{Type: output.Local, Dest: "b"},
			{Type: output.CacheOnly},
			{Type: output.Docker, Tar: true},
			{Type: output.Tar, Dest: "c", Tar: true},
			{Type: output.Image, Push: true, ByDigest: true, Names: []string{"registry.example/a"}},
			{Type: output.Image, Push: true, Names: []string{"registry.example/a:1"}, Compression: output.Zstd},
		}, ""},
		{"two layouts", []output.Output{{Type: output.OCI}, {Type: output.OCI, Dest: "b"}}, "only one output can be an OCI layout in a directory"},
		{"the usual layout twice", []output.Output{{Type: output.OCI}, {Type: output.OCI}}, "only one output can be an OCI layout in a directory"},
		{"one place", []output.Output{archive, {Type: output.Docker, Dest: "a", Tar: true}}, `output "type=docker,dest=a": another output already writes there`},
		{"no type", []output.Output{{}}, "an output has no type; make it with output.Parse"},
		{"another type", []output.Output{{Type: "nfs"}}, `output "type=nfs": type "nfs" is not one of oci, docker, image, local, tar, cacheonly`},
		{"docker twice", []output.Output{{Type: output.Docker, Tar: true}, {Type: output.Docker, Tar: true, Compression: output.Gzip}}, `output "type=docker,compression=gzip": another output already writes there`},
		{"by digest, and not pushed", []output.Output{{Type: output.Image, ByDigest: true, Names: []string{"a"}}}, `output "type=image,name=a,push-by-digest=true": push-by-digest requires a push; add push=true`},
		{"by digest, with a tag", []output.Output{{Type: output.Image, Push: true, ByDigest: true, Names: []string{"r.example/a", "r.example/b:1"}}}, `output "type=image,\"name=r.example/a,r.example/b:1\",push=true,push-by-digest=true": push-by-digest sets no tag; name r.example/b without one`},
		{"no name to push to", []output.Output{{Type: output.Image, Push: true}}, `output "type=image,push=true": an image for a registry needs a name`},
		{"no name", []output.Output{{Type: output.Image}}, `output "type=image": an image for a registry needs a name`},
		{"a name that is none", []output.Output{{Type: output.OCI, Names: []string{"r.example/UPPER"}}}, `output "type=oci,name=r.example/UPPER": "r.example/UPPER" is not the name of an image: invalid reference format: repository name (UPPER) must be lowercase`},
		{"an empty name", []output.Output{{Type: output.OCI, Names: []string{""}}}, `output "type=oci,name=": "" is not the name of an image: invalid reference format`},
		{"a docker archive that is a directory", []output.Output{{Type: output.Docker, Dest: "a"}}, `output "type=docker,dest=a": Tar is false, but must be true`},
		{"an archive nowhere", []output.Output{{Type: output.OCI, Tar: true}}, `output "type=oci": Tar is true, but must be false`},
		{"bare files nowhere", []output.Output{{Type: output.Local}}, `output "type=local": type=local needs a directory as dest`},
		{"a layout that is pushed", []output.Output{{Type: output.OCI, Push: true}}, `output "type=oci,push=true": only type=image has a registry: leave push out`},
		{"another compression", []output.Output{{Type: output.OCI, Compression: "lz4"}}, `output "type=oci,compression=lz4": compression "lz4" is not one of uncompressed, gzip, zstd`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := output.CheckAll(tt.all); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	for name, fits := range map[string]bool{
		"a": true, "a:1": true, "registry.example:5000/a/b:c": true, "": false, "a b": false, "A": false, "a:": false, "https://registry.example/a": false,
		"UPPER/x": false, "Upper/x:1": false, "localhost/x": true, "r.example/X": false, "HOST:5000/x": true,
		"a@sha256:" + strings.Repeat("0", 64): false, "a:1@sha256:" + strings.Repeat("0", 64): false,
	} {
		if err := output.CheckName(name); (err == nil) != fits {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCheckReference(t *testing.T) {
	for name, fits := range map[string]bool{"r.example/a@sha256:" + strings.Repeat("0", 64): true, "r.example/a:1": true, "UPPER/x": false, "": false} {
		if err := output.CheckReference(name); (err == nil) != fits {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	tests := []struct {
		line           string
		layout, stdout bool
	}{
		{"type=oci", true, false},
		{"type=oci,dest=a,tar=false", true, false},
		{"type=oci,dest=-", false, true},
		{"type=docker,dest=-", false, true},
		{"type=image", false, false},
		{"type=tar,dest=-", false, true},
		{"type=cacheonly", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			o, err := output.Parse(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if o.Layout() != tt.layout || o.ToStdout() != tt.stdout {
				t.Errorf("layout %v, stdout %v", o.Layout(), o.ToStdout())
			}
		})
	}
}

// FuzzParseRoundTrip checks that the text of an output parses to the same output.
func FuzzParseRoundTrip(f *testing.F) {
	for _, line := range []string{
		"type=oci", "type=oci,dest=a,tar=false", `type=local,"dest=a,b""c"`, "type=docker,dest=-,name=a",
		`type=image,"name=a,b",push=true,registry.insecure=1,compression=zstd`, "out", "TYPE=oci",
		"-", "type=registry,name=a,push-by-digest=true", "type=docker", "type=cacheonly", "type=oci,annotation-manifest-descriptor[linux/amd64].A.b=c",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		first, err := output.Parse(line)
		if err != nil {
			return
		}
		second, err := output.Parse(first.String())
		if err != nil {
			t.Fatalf("%q parses, its canonical form %q doesn't: %v", line, first, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%q parses differently as %q:\n%s", line, first, diff)
		}
	})
}
