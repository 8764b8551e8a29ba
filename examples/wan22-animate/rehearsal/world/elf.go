package world

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"path"
	"strings"
)

// sharedObject returns an ELF file without code: it has its name and the libraries that
// it needs, for the dynamic linker and readelf, and must not be loaded. Symbols are
// names for searches among its strings.
func sharedObject(file string, needed, symbols []string) string {
	strtab := "\x00"
	name := func(s string) uint64 {
		at := len(strtab)
		strtab += s + "\x00"
		return uint64(at)
	}
	dyn := make([]elf.Dyn64, 0, len(needed)+4)
	for _, n := range needed {
		dyn = append(dyn, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: name(n)})
	}
	if base := path.Base(file); strings.HasPrefix(base, "lib") {
		dyn = append(dyn, elf.Dyn64{Tag: int64(elf.DT_SONAME), Val: name(base)})
	}
	for _, symbol := range symbols {
		name(symbol)
	}
	const headers = 64 + 2*56
	size := uint64(16 * (len(dyn) + 3))
	strings := headers + size
	dyn = append(dyn, elf.Dyn64{Tag: int64(elf.DT_STRTAB), Val: strings},
		elf.Dyn64{Tag: int64(elf.DT_STRSZ), Val: uint64(len(strtab))}, elf.Dyn64{})
	all := strings + uint64(len(strtab))

	var out bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&out, binary.LittleEndian, v) // a buffer accepts all
		}
	}
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64,
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	write(header,
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Filesz: all, Memsz: all, Align: 0x1000},
		elf.Prog64{
			Type: uint32(elf.PT_DYNAMIC), Flags: uint32(elf.PF_R), Off: headers, Vaddr: headers, Paddr: headers,
			Filesz: size, Memsz: size, Align: 8,
		},
		dyn)
	out.WriteString(strtab)
	return out.String()
}
