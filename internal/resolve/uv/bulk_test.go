package uv

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"
)

// rawWheel returns a wheel with files that are only in its directory.
func rawWheel(t *testing.T, files ...zip.FileHeader) []byte {
	t.Helper()
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	for _, e := range own("my-pkg", "1.0") {
		size := uint64(len(e.content))
		w, err := z.CreateRaw(&zip.FileHeader{Name: e.name, CRC32: crc([]byte(e.content)), CompressedSize64: size, UncompressedSize64: size})
		if err == nil {
			_, err = io.WriteString(w, e.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		if _, err := z.CreateRaw(&f); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// behind is data after a number of zeros: a zip may have anything in front.
type behind struct {
	zeros int64
	data  []byte
}

func (b behind) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.zeros {
		return bytes.NewReader(b.data).ReadAt(p, off-b.zeros)
	}
	n := int(min(int64(len(p)), b.zeros-off))
	clear(p[:n])
	if n == len(p) {
		return n, nil
	}
	more, err := bytes.NewReader(b.data).ReadAt(p[n:], 0)
	return n + more, err
}

func readBehind(t *testing.T, zeros int64, files ...zip.FileHeader) (*wheel, error) {
	t.Helper()
	data := rawWheel(t, files...)
	return readWheel(&distribution{File: someFile, Kind: kindWheel}, behind{zeros, data}, zeros+int64(len(data)))
}

func packedTo(name string, small, large uint64) zip.FileHeader {
	return zip.FileHeader{Name: name, Method: zip.Deflate, CompressedSize64: small, UncompressedSize64: large}
}

func TestWheelBombs(t *testing.T) {
	var many []zip.FileHeader
	for n := range 1000 {
		many = append(many, packedTo(fmt.Sprint("a", n), 9_000_000, 9_000_000_000))
	}
	stored := packedTo("a", 1, 5000)
	stored.Method = zip.Store
	for _, tt := range []struct {
		name  string
		zeros int64
		files []zip.FileHeader
		want  string
	}{
		{"terabytes", 10_000_000_000, many, "it unpacks to 9000.00 GB, more than 100 times its size"},
		{"overlapping", 10_000_000, many, "its files overlap: they take 9.00 GB of its 10.1 MB"},
		{"more than deflate can", 1 << 20, []zip.FileHeader{packedTo("a", 1000, 1<<40)}, `its directory lists "a" with 1099511627776 bytes, compressed to 1000, which is impossible`},
		{"less than it must be", 1 << 30, []zip.FileHeader{packedTo("a", 1<<29, 10)}, `"a" with 10 bytes, compressed to 536870912`},
		{"stored as less", 1 << 20, []zip.FileHeader{stored}, `"a" with 5000 bytes, compressed to 1`},
		{"sizes that overflow", 1 << 20, []zip.FileHeader{packedTo("a", math.MaxUint64/2, math.MaxUint64), packedTo("b", math.MaxUint64/2, math.MaxUint64)}, "its files overlap"},
		{"one below zero", 1 << 20, []zip.FileHeader{packedTo("a", 1<<19, 1<<63)}, "which is impossible"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readBehind(t, tt.zeros, tt.files...)
			refused(t, err, tt.want)
		})
	}
	t.Run("a million files", func(t *testing.T) {
		files := make([]zip.FileHeader, 1_000_000)
		for n := range files {
			files[n] = packedTo(fmt.Sprintf("%06x", n), 0, 0)
		}
		_, err := readBehind(t, 0, files...)
		refused(t, err, "its directory is larger than 50.3 MB")
		_, err = readBehind(t, 0, files[:350_000]...)
		refused(t, err, "it holds 350003 files; a wheel may have at most 300000")
	})
	t.Run("a count that lies", func(t *testing.T) {
		data := rawWheel(t)
		binary.LittleEndian.PutUint16(data[len(data)-12:], 60_000) // of all files, in the end of the directory
		_, _, err := read(t, someFile, data)
		refused(t, err, "it is not a wheel")
	})
	// These are large, but no bombs.
	for _, f := range []zip.FileHeader{packedTo("zeros", 1_000_000, 1_000_000_000), packedTo("large", 2_000_000_000, 20_000_000_000)} {
		if w, err := readBehind(t, 3_000_000_000, f); err != nil || w.Unpacked < int64(f.UncompressedSize64) {
			t.Errorf("%s: %+v, %v", f.Name, w, err)
		}
	}
}
