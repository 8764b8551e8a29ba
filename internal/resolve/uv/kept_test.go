package uv

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestWheelsAreKept(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0", entry{name: "a.py", content: "x"})
	o := Options{CacheDir: filepath.Join(t.TempDir(), "wheels")}
	d := &distribution{Kind: kindWheel, File: someFile, Hashes: map[string]string{"sha256": sumOf(data)}}
	if got := o.kept(d); got != nil {
		t.Errorf("of an empty cache: %+v", got)
	}
	w, err := readWheel(d, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	d.wheel = w
	if err := o.keep(d); err != nil {
		t.Fatal(err)
	}
	equal(t, "kept", o.kept(d), w)
	if got := o.kept(&distribution{Kind: kindSdist, Hashes: d.Hashes}); got != nil {
		t.Errorf("an sdist is kept as %+v", got)
	}
	for _, text := range []string{"", "{", "{}", `{"Metadata": "x"}`, "null"} {
		if err := os.WriteFile(o.keptPath(d), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := o.kept(d); got != nil {
			t.Errorf("%q is kept as %+v", text, got)
		}
	}
}

func TestWhatCanNotBeKept(t *testing.T) {
	dir := t.TempDir()
	for name, o := range map[string]Options{"no cache": {}, "no sum": {CacheDir: dir}} {
		d := &distribution{Kind: kindWheel, wheel: &wheel{Name: "a", Metadata: "b"}, Hashes: map[string]string{"sha256": map[bool]string{true: "../../x", false: sumOf(nil)}[o.CacheDir != ""]}}
		if err := o.keep(d); err != nil || o.kept(d) != nil {
			t.Errorf("%s: %v, %v", name, err, o.kept(d))
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
