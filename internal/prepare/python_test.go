package prepare_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/prepare"
	"lamina.build/lock"
	"lamina.build/stages"
)

// withWheels adds locked wheels to the options of an image.
func withWheels(o prepare.Options, wheels ...lock.Distribution) prepare.Options {
	o.Lock.Python = []lock.PythonRequest{{Set: lock.Set{Kind: lock.SetPython}}}
	for _, d := range wheels {
		d.Version, d.File, d.For = "1.0", d.Name+"-1.0-py3-none-any.whl", []lock.Set{{Kind: lock.SetPython}}
		o.Lock.Distributions = append(o.Lock.Distributions, d)
	}
	return o
}

func TestWheelsOfTheProjectArePacked(t *testing.T) {
	files := good()
	files["wheels/own.whl"] = &fstest.MapFile{Data: []byte("wheel")}
	own := lock.Distribution{Name: "own", URL: "file:wheels/own.whl", SHA256: digest.FromString("wheel").Encoded()}
	in, err := prepare.Input(t.Context(), withWheels(options(t, files), own))
	if err != nil {
		t.Fatal(err)
	}
	if l := in.Python.Files["wheels/own.whl"]; l.Image == "" || fmt.Sprint(l.Paths) != "[/own-1.0-py3-none-any.whl]" {
		t.Errorf("packed as %+v", l)
	}

	files["wheels/own.whl"].Data = []byte("another")
	_, err = prepare.Input(t.Context(), withWheels(options(t, files), own))
	if failure.KindOf(err) != failure.Findings || !strings.Contains(err.Error(), `"wheels/own.whl" is not the file that was locked`) {
		t.Errorf("an altered wheel: %v", err)
	}
	delete(files, "wheels/own.whl")
	_, err = prepare.Input(t.Context(), withWheels(options(t, files), own))
	if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "reading own 1.0: ") {
		t.Errorf("a missing wheel: %v", err)
	}
}

// The plan of layers shrinks until it fits, says so, and leaves the models their part.
func TestManyHeavyWheelsShareALayer(t *testing.T) {
	var wheels []lock.Distribution
	for i := range 70 {
		wheels = append(wheels, lock.Distribution{Name: fmt.Sprintf("heavy-%02d", i), Size: stages.HeavyWheel, URL: "https://f.example/x"})
	}
	o := withWheels(options(t, good()), wheels...)
	var notes []string
	o.Note = func(line string) { notes = append(notes, line) }
	if _, err := prepare.Input(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if want := "12 wheels of 100 MB and more share a layer"; len(notes) != 1 || !strings.HasPrefix(notes[0], want) {
		t.Errorf("told %q, want %q", notes, want)
	}
}
