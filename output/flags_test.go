package output_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/output"
)

// Names apply to every output that can have one, --push to those in a registry.
func TestFlags(t *testing.T) {
	names := []string{"r.example/a:1", "r.example/a:2"}
	for _, tt := range []struct {
		name  string
		flags output.Flags
		want  []output.Output
	}{
		{"nothing given", output.Flags{}, []output.Output{{Type: output.OCI}}},
		{"a push", output.Flags{Push: true, Tags: names}, []output.Output{{Type: output.Image, Push: true, Names: names}}},
		{"several", output.Flags{Outputs: []string{"type=oci", "type=image,name=r.example/own:1", "files"}, Tags: names[:1]}, []output.Output{
			{Type: output.OCI, Names: names[:1]}, {Type: output.Image, Names: []string{"r.example/own:1", names[0]}}, {Type: output.Local, Dest: "files"},
		}},
		{"a load", output.Flags{Load: true, Tags: names}, []output.Output{{Type: output.Docker, Tar: true, Names: names}}},
		{"a load and a push", output.Flags{Load: true, Push: true, Tags: names[:1]}, []output.Output{
			{Type: output.Image, Push: true, Names: names[:1]}, {Type: output.Docker, Tar: true, Names: names[:1]},
		}},
		{"a load given twice", output.Flags{Load: true, Outputs: []string{"type=docker,compression=gzip"}}, []output.Output{
			{Type: output.Docker, Tar: true, Compression: output.Gzip},
		}},
		{"annotations", output.Flags{
			Outputs: []string{"type=oci", "type=registry,name=r.example/a", "-", "type=cacheonly"}, Annotations: []string{"a=b", "manifest-descriptor:c=d"},
		}, []output.Output{
			{Type: output.OCI, Annotations: []output.Annotation{{Key: "a", Value: "b"}, {Key: "c", Value: "d", Descriptor: true}}},
			{Type: output.Image, Push: true, Names: []string{"r.example/a"}, Annotations: []output.Annotation{{Key: "a", Value: "b"}}},
			{Type: output.Tar, Tar: true, Dest: "-"},
			{Type: output.CacheOnly},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.flags.Parse()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
		})
	}
}
