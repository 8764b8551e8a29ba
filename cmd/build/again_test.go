package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The command repeats the flags that affect the image, but no destinations and no logins.
func TestAgain(t *testing.T) {
	c := anApp(t).imageCommand()
	given := []string{
		"--variant", "debug", "--insecure-registry", "--addr=tcp://a:1", "--addr", "tcp://b:1", "--python-index=https://user:word@index.example/simple",
		"-o", "type=oci", "-t", "a:1", "--push", "--no-cache", "--cache-to", "type=s3,secret_access_key=word", "--progress=plain",
		"--load", "-q", "--attach=lock", "--label", "a=b", "--annotation=c=d", "--annotation=manifest-descriptor:e=f",
		"--annotation=index.title=g", "--annotation=index,manifest:h=i", "--annotation=index,index-descriptor:j=k",
	}
	if err := c.ParseFlags(append(given, "it's mine")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		os.Args[0], "it's mine", "--variant=debug", "--insecure-registry=true", "--addr=tcp://a:1", "--addr=tcp://b:1", "--label=a=b",
		"--annotation=c=d", "--annotation=index.title=g", "--annotation=index,manifest:h=i",
	}
	if diff := cmp.Diff(want, again(c.Flags(), c.Flags().Args())); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	for _, name := range forOnce {
		if c.Flags().Lookup(name) == nil {
			t.Errorf("there is no flag --%s", name)
		}
	}
	for program, want := range map[string]string{"./build": "./build", "/t/go-build1/b001/exe/build": "go", "/home/u/go/d5/" + strings.Repeat("d5", 32) + "-d/build": "go"} {
		if got := called(program)[0]; got != want {
			t.Errorf("%s is called by %s", program, got)
		}
	}
}
