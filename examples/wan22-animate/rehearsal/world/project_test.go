package world

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestReplaced(t *testing.T) {
	t.Parallel()
	list := []Replacement{
		{"a.txt", "https://one.example/x", "http://127.0.0.1/x", 2},
		{"b.txt", "https://one.example/x", "http://127.0.0.1/never", 1},
	}
	got, err := replaced(map[string]string{"a.txt": "https://one.example/x https://one.example/x # https://two.example\n", "c.txt": "# https://three.example"}, list)
	want := map[string]string{"a.txt": "http://127.0.0.1/x http://127.0.0.1/x # https://two.example\n", "c.txt": "# https://three.example"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// An address that a user added and the world doesn't know is an error, not a request to the internet.
func TestAddressesThatNothingStandsFor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"more @ https://example.com/more-1-py3-none-any.whl\n":        "a.txt: nothing stands for https://example.com/more-1-py3-none-any.whl",
		"more @ git+https://example.com/more.git#subdirectory=python": "a.txt: nothing stands for https://example.com/more.git",
		"url = \"https://one.example/y\"":                             "a.txt: nothing stands for https://one.example/y",
	} {
		got, err := replaced(map[string]string{"a.txt": text}, []Replacement{{"a.txt", "https://one.example/x", "", 1}})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
	}
}

func TestExampleHasNoLeftovers(t *testing.T) {
	t.Parallel()
	directory := fstest.MapFS{}
	for _, name := range []string{"image.toml", "image.lock", "app/dist/x.py", "app/image.lock", "dist/wan/index.json", ".git/HEAD"} {
		directory[name] = &fstest.MapFile{}
	}
	var got []string
	err := fs.WalkDir(Example(directory), ".", func(name string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if diff := cmp.Diff([]string{"app/dist/x.py", "app/image.lock", "image.toml"}, got); diff != "" || err != nil {
		t.Errorf("%v, files (-want +got):\n%s", err, diff)
	}
}
