package layers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sync"

	"lamina.build/internal/scripts"
	"lamina.build/llb"
)

// AllKeys matches all private keys, to keep them.
func AllKeys() llb.Exclude { return llb.Exclude{"/**"} }

// How much of a file is searched for a private key, same as in
// internal/scripts/private_keys.py for files that the engine makes.
const (
	keyWhole = 1 << 20 // up to this size, a text key is found anywhere in a file
	keyHead  = 1 << 16 // of a larger one
)

// keyTable is the content of keys.json.
type keyTable struct {
	texts []textKey
	paths []pathKey
}

type textKey struct {
	kind string
	hint []byte
	text *regexp.Regexp
}

type pathKey struct {
	kind    string
	matches func(path string) bool
}

var keys = sync.OnceValue(func() (table keyTable) {
	const name = "keys.json"
	var kinds struct {
		Texts []struct{ Kind, Find, Pattern string }
		Paths []struct{ Kind, Glob string }
	}
	if err := json.Unmarshal([]byte(scripts.Named(name)[name]), &kinds); err != nil {
		panic("internal error: " + err.Error()) // a part of the program
	}
	for _, t := range kinds.Texts {
		table.texts = append(table.texts, textKey{t.Kind, []byte(t.Find), regexp.MustCompile(t.Pattern)})
	}
	for _, p := range kinds.Paths {
		table.paths = append(table.paths, pathKey{p.Kind, llb.Exclude{p.Glob}.Matcher()})
	}
	return table
})

// checkKeys refuses the private keys among the entries of a tree that will be in root,
// except those that keep names. No op does this, since what is packed here is read here
// anyway, and weights are never read again.
func checkKeys(entries []entry, place func(name string) string, keep llb.Exclude) (problems []error) {
	kept := keep.Matcher()
	for _, e := range entries {
		if e.kind != file || kept(place(e.name)) {
			continue
		}
		kind, err := e.privateKey(place(e.name))
		if err != nil {
			problems = append(problems, fmt.Errorf("reading %q: %w", e.name, err))
		}
		if kind != "" {
			problems = append(problems, &EntryError{
				Path: e.name, Reason: fmt.Sprintf("holds a private key (%s), which everyone who has the image would have", kind),
				hint: fmt.Sprintf("exclude it or, if it is not secret, set keep = [%q] under [debian]", place(e.name)),
			})
		}
	}
	return problems
}

// privateKey returns the kind of private key in a file at path in the image, or "".
func (e entry) privateKey(path string) (kind string, err error) {
	if e.size == 0 {
		return "", nil
	}
	in, err := e.open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	wanted := e.size
	if wanted > keyWhole {
		wanted = keyHead
	}
	data, err := io.ReadAll(io.LimitReader(in, wanted))
	if err != nil || bytes.HasPrefix(data, []byte("\x7fELF")) {
		return "", err
	}
	data = narrow(data)
	for _, t := range keys().texts {
		if bytes.Contains(data, t.hint) && t.text.Match(data) {
			return t.kind, nil
		}
	}
	if kind = binaryKey(data); kind == "" {
		if i := slices.IndexFunc(keys().paths, func(p pathKey) bool { return p.matches(path) }); i >= 0 {
			kind = keys().paths[i].kind
		}
	}
	return kind, nil
}

// narrow returns a text of Windows, with a byte order mark and perhaps two bytes for each
// letter, as others are.
func narrow(data []byte) []byte {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return bytes.ReplaceAll(data[2:], []byte{0}, nil)
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
}

func binaryKey(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x05\x01")):
		if hasPrincipal(data[2:], binary.NativeEndian) {
			return "Kerberos"
		}
	case bytes.HasPrefix(data, []byte("\x05\x02")):
		if hasPrincipal(data[2:], binary.BigEndian) {
			return "Kerberos"
		}
	case len(data) > 0 && bytes.IndexByte([]byte("\x94\x95\x96\xc5"), data[0]) >= 0:
		if isSecretPacket(data) {
			return "OpenPGP"
		}
	case bytes.HasPrefix(data, []byte("\xfe\xed\xfe\xed")), bytes.HasPrefix(data, []byte("\xce\xce\xce\xce")):
		if hasPrivateEntry(data[4:]) {
			return "JKS"
		}
	case bytes.HasPrefix(data, []byte{0x30}):
		return asn1Key(data)
	}
	return ""
}

// hasPrincipal reads a keytab up to the realm of its first entry; those that were removed
// have a negative size.
func hasPrincipal(data []byte, order binary.ByteOrder) bool {
	for len(data) >= 8 {
		size := int(int32(order.Uint32(data))) //nolint:gosec // it has a sign
		if size > 0 {
			realm := int(order.Uint16(data[6:]))
			if realm == 0 || 4+size > len(data) || 8+realm > len(data) {
				return false
			}
			return !bytes.ContainsFunc(data[8:8+realm], func(r rune) bool { return r <= ' ' || r >= 0x7f })
		}
		data = data[min(4-size, len(data)):]
	}
	return false
}

// isSecretPacket reads an OpenPGP secret key (RFC 9580, section 4.2), and whether a packet
// that may follow it does.
func isSecretPacket(data []byte) bool {
	first, length := data[0], data[1:]
	var size, skip int
	switch {
	case first != 0xc5:
		skip = 1 << (first & 3)
		if len(length) < skip {
			return false
		}
		for _, b := range length[:skip] {
			size = size<<8 | int(b)
		}
	case len(length) < 5:
		return false
	case length[0] < 0xc0:
		size, skip = int(length[0]), 1
	case length[0] < 0xe0:
		size, skip = int(length[0]-0xc0)<<8+int(length[1])+0xc0, 2
	default:
		size, skip = int(binary.BigEndian.Uint32(length[1:])), 5
	}
	body := length[skip:]
	if size < 20 || size > len(body) {
		return false
	}
	version, algorithm := body[0], body[5]
	if version == 3 {
		algorithm = body[7]
	}
	known := algorithm > 0 && algorithm < 4 || algorithm > 15 && algorithm < 23 || algorithm > 24 && algorithm < 37
	if version < 3 || version > 6 || !known {
		return false
	}
	if len(body) == size {
		return true
	}
	after := body[size]
	tag := after >> 2 & 0xf
	if after&0x40 != 0 {
		tag = after & 0x3f
	}
	return after&0x80 != 0 && bytes.IndexByte([]byte{2, 7, 13, 17}, tag) >= 0
}

// hasPrivateEntry reads a Java key store up to its first entry that isn't a certificate.
func hasPrivateEntry(data []byte) bool {
	field := func(size int) (n int) {
		if len(data) < size {
			data = nil
			return 0
		}
		for _, b := range data[:size] {
			n = n<<8 | int(b)
		}
		data = data[size:]
		return n
	}
	skip := func(size int) { data = data[min(size, len(data)):] }
	version, count := field(4), field(4)
	for ; count > 0 && len(data) > 4; count-- {
		if field(4) != 2 {
			return true
		}
		skip(field(2) + 8) // its name and date
		if version == 2 {
			skip(field(2)) // "X.509"
		}
		skip(field(4))
	}
	return false
}
