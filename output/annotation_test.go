package output_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/output"
)

// The syntax is that of docker buildx.
func TestParseAnnotation(t *testing.T) {
	for text, want := range map[string][]output.Annotation{
		"a=b":                        {{Key: "a", Value: "b"}},
		"org.a.b=c:d=e":              {{Key: "org.a.b", Value: "c:d=e"}},
		"manifest:a=":                {{Key: "a"}},
		"manifest:a:b=c":             {{Key: "a:b", Value: "c"}},
		"manifest[x/y]:a=":           {{Key: "a", Platform: "x/y"}},
		"index,index-descriptor:a=b": {{Key: "a", Value: "b", Index: true}, {Key: "a", Value: "b", Index: true, Descriptor: true}},
		"manifest,manifest-descriptor[linux/arm64/v8]:a=b": {{Key: "a", Value: "b"}, {Key: "a", Value: "b", Descriptor: true, Platform: "linux/arm64/v8"}},
	} {
		got, err := output.ParseAnnotation(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]string{
		"":                       "is not key=value",
		"a":                      "is not key=value",
		"=b":                     `"" is not a key`,
		"a b=c":                  `"a b" is not a key`,
		"index[linux/amd64]:a=b": "an index is of all platforms",
		"config:a=b":             `"config" is not manifest, manifest-descriptor, index or index-descriptor`,
		":a=b":                   `"" is not manifest, manifest-descriptor, index or index-descriptor`,
		"manifest[linux:a=b":     `"manifest[linux" is not manifest, manifest-descriptor, index or index-descriptor, or one of the first two`,
		"manifest[]:a=b":         `"manifest[]" is not manifest`,
	} {
		if _, err := output.ParseAnnotation(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// Each output gets what it has a place for, under BuildKit's keys.
func TestAnnotate(t *testing.T) {
	list, err := output.ParseAnnotation("manifest[linux/amd64],manifest-descriptor,index,index-descriptor:a=b")
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"type=oci":          "annotation-manifest.a annotation-manifest-descriptor.a annotation-index.a annotation-index-descriptor.a",
		"type=image,name=a": "annotation-manifest.a annotation-index.a",
		"type=docker":       "annotation-manifest.a",
		"type=local,dest=a": "",
		"type=tar,dest=a":   "",
		"type=cacheonly":    "",
	} {
		o, err := output.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		others := o.Annotate(list)
		if len(others)+len(o.Annotations) != len(list) {
			t.Errorf("%s: %v and %v", line, o.Annotations, others)
		}
		var got []string
		for _, a := range o.Annotations {
			got = append(got, a.Attribute())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
