package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

// twoFiles returns a layer of a model's two files, and its content.
func twoFiles(t *testing.T) (*Layer, []byte) {
	t.Helper()
	contents := map[string][]byte{"a.bin": make([]byte, 3000), "b.bin": make([]byte, 513)}
	random := rand.NewChaCha8([32]byte{7})
	m := lock.Model{ModelRequest: lock.ModelRequest{From: "hf://acme/tiny@main", Path: "/m"}}
	for _, name := range []string{"a.bin", "b.bin"} {
		_, _ = random.Read(contents[name]) // never fails
		sum := sha256.Sum256(contents[name])
		m.Files = append(m.Files, lock.ModelFile{Path: name, Size: int64(len(contents[name])), SHA256: hex.EncodeToString(sum[:])})
	}
	layers, err := Layers("tiny", m, MaxLayers)
	if err != nil || len(layers) != 1 {
		t.Fatalf("got %d layers, %v", len(layers), err)
	}
	var data []byte
	for _, p := range layers[0].Parts {
		if p.File == "" {
			data = append(data, p.Bytes...)
			continue
		}
		data = append(data, contents[layers[0].Files[p.File].Path]...)
	}
	return &layers[0], data
}

// However a layer's bytes arrive, in overlapping pieces and in several processes, one after
// the other, its digest is the same, and a changed byte of a file is found.
func TestHasherGoesOnAnywhere(t *testing.T) {
	t.Parallel()
	layer, data := twoFiles(t)
	want, random := digest.FromBytes(data), rand.New(rand.NewPCG(1, 2))
	hash := func(data []byte, known digest.Digest) (*hasher, error) {
		h := newHasher(layer, known)
		for h.pos < layer.Size {
			from := max(h.pos-random.Int64N(600), 0)
			to := min(h.pos+random.Int64N(600)+1, layer.Size)
			if err := h.write(from, data[from:to]); err != nil {
				return h, err
			}
			if random.IntN(3) == 0 { // continue in the next process
				text, err := json.Marshal(h.mark())
				var m mark
				h = newHasher(layer, known)
				if err = errors.Join(err, json.Unmarshal(text, &m), h.resume(m)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return h, nil
	}
	for range 100 {
		for _, known := range []digest.Digest{"", want} {
			if h, err := hash(data, known); err != nil || h.digest() != want {
				t.Fatalf("known as %q: got %s, %v, want %s", known, h.digest(), err, want)
			}
		}
	}
	data[len(data)-1025] ^= 1 // before the tar's end: padding outside of files
	if _, err := hash(data, ""); err != nil {
		t.Errorf("between files: got %v", err)
	}
	if _, err := hash(data, want); !errors.Is(err, errUnlike) {
		t.Errorf("between files, of a known layer: got %v", err)
	}
	for i, p := range layer.Parts {
		if p.File == "" {
			continue
		}
		data[layer.starts[i]] ^= 1
		_, err := hash(data, "")
		if wrong, ok := errors.AsType[*MismatchError](err); !ok || wrong.File != layer.Files[p.File].Path {
			t.Errorf("in %q: got %v", p.File, err)
		}
		data[layer.starts[i]] ^= 1
	}
}

// A mark that fits no layer makes it be hashed from the first byte.
func TestHasherRefusesMarks(t *testing.T) {
	t.Parallel()
	layer, data := twoFiles(t)
	good := newHasher(layer, "")
	if err := good.write(0, data[:1000]); err != nil {
		t.Fatal(err)
	}
	for name, corrupt := range map[string]func(*mark){
		"before the layer": func(m *mark) { m.Offset = -1 },
		"after it":         func(m *mark) { m.Offset = layer.Size + 1 },
		"no hash of it":    func(m *mark) { m.Layer = nil },
		"no hash of files": func(m *mark) { m.File = []byte("x") },
	} {
		m := good.mark()
		corrupt(&m)
		h := newHasher(layer, "")
		if err := h.resume(m); err == nil || h.pos != 0 {
			t.Errorf("%s: got %v, and continues at %d", name, err, h.pos)
		}
		if err := h.write(0, data); err != nil || h.digest() != digest.FromBytes(data) {
			t.Errorf("%s: then got %v", name, err)
		}
	}
}

// An upload's marks are few and in ascending order. The upload continues from the newest one
// that the registry hasn't lost.
func TestRecordOfMarks(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		j := journal{dir: t.TempDir(), place: "registry.test/a"}
		key := digest.FromString("layer")
		r, furthest := j.record(key), int64(-1)
		for range random.IntN(30) {
			m := mark{Offset: random.Int64N(20)}
			if err := r.save("https://registry.test/upload", m); err != nil {
				t.Fatal(err)
			}
			furthest = max(furthest, m.Offset)
		}
		r = j.record(key) // as read by the next process
		if len(r.Marks) > marks || furthest >= 0 && r.newest(1<<40).Offset != furthest {
			t.Fatalf("%d marks up to %d, want up to %d", len(r.Marks), r.newest(1<<40).Offset, furthest)
		}
		for i, m := range r.Marks {
			if i > 0 && m.Offset <= r.Marks[i-1].Offset {
				t.Fatalf("mark %d isn't after the one before: %v", i, r.Marks)
			}
			if got := r.newest(m.Offset).Offset; got != m.Offset {
				t.Fatalf("the newest at %d is at %d", m.Offset, got)
			}
		}
		if err := r.drop(); err != nil || j.record(key).Location != "" {
			t.Fatalf("dropped: %v", err)
		}
	}
}
