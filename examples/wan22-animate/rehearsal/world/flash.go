package world

import (
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/test/testworld"
)

// flashAttention finds the wheels of flash-attn, which an example names by their
// addresses: path, version, and the C++ ABI that they are built for.
var flashAttention = regexp.MustCompile(`https://github\.com/(Dao-AILab/\S+/flash_attn-([^-+]+)\S*cxx11abi(TRUE|FALSE)\S*\.whl)`)

// constructor is that of c10::Error, whose argument is a string of either ABI.
var constructor = map[string]string{
	"FALSE": "_ZN3c105ErrorC2ENS_14SourceLocationESs",
	"TRUE":  "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
}

// putFlashAttention puts a wheel where the example looks for one. It was renamed
// after it was made, as the real ones are: its version has no local part.
func (w *World) putFlashAttention(t testing.TB) {
	t.Helper()
	for _, text := range w.texts {
		for _, m := range flashAttention.FindAllStringSubmatch(text, -1) {
			w.Put(m[1], flashWheel(t, m[2], constructor[m[3]]).Bytes(t))
		}
	}
}

func flashWheel(t testing.TB, version, symbol string) testworld.Wheel {
	t.Helper()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range newest(table) {
		if d.name == "flash-attn" {
			libs := libraries()
			for i := range libs {
				if strings.HasPrefix(libs[i].file, "flash_attn_2_cuda") {
					libs[i].symbols = []string{symbol}
				}
			}
			return offer{dist: d.as(version, nil), like: d.version}.wheel(libs)
		}
	}
	panic("internal error: closure.txt has no flash-attn")
}
