package layers

import "bytes"

// The start of private keys in ASN.1. PKCS#12 has values of indefinite length, which
// encoding/asn1 doesn't support.
const (
	tagInteger  = 0x02
	tagOctets   = 0x04
	tagOID      = 0x06
	tagSequence = 0x30
)

// value is an ASN.1 value; rest is what follows it.
type value struct {
	tag           byte
	content, rest []byte
}

// readValue reads the first value of data; one of indefinite length extends to the end. Its
// tag is 0 if there is none.
func readValue(data []byte) value {
	if len(data) < 2 {
		return value{}
	}
	tag, length, data := data[0], int(data[1]), data[2:]
	switch {
	case length == 0x80:
		return value{tag: tag, content: data}
	case length > 0x80:
		size := length & 0x7f
		if size > 4 || size > len(data) {
			return value{}
		}
		length = 0
		for _, b := range data[:size] {
			length = length<<8 | int(b)
		}
		data = data[size:]
	}
	if length > len(data) {
		return value{}
	}
	return value{tag, data[:length], data[length:]}
}

// asn1Key returns the kind of a private key, or "". A PKCS#12 store of only certificates isn't one.
func asn1Key(data []byte) string {
	whole := readValue(data)
	if len(bytes.TrimRight(whole.rest, "\r\n")) > 0 {
		return ""
	}
	first := readValue(whole.content)
	second := readValue(first.rest)
	switch {
	case first.tag == tagSequence && isEncrypted(whole.content):
		return "encrypted PKCS#8"
	case first.tag == tagSequence && len(first.rest) > 0 && isEncrypted(first.content):
		return "BCFKS" // it encrypts certificates, too
	}
	if first.tag != tagInteger || len(first.content) != 1 {
		return ""
	}
	version, third := first.content[0], readValue(second.rest)
	switch {
	case version == 3 && second.tag == tagSequence && bytes.Contains(second.content[:min(64, len(second.content))], pkcs7):
		if bytes.Contains(data, keyBag) || bytes.Contains(data, shroudedKeyBag) {
			return "PKCS#12"
		}
	case version < 2 && second.tag == tagSequence && readValue(second.content).tag == tagOID && third.tag == tagOctets:
		return "PKCS#8"
	case version == 1 && second.tag == tagOctets && len(second.content) >= 20 && len(second.content) <= 66:
		return "SEC 1"
	case version < 2 && second.tag == tagInteger && len(second.content) > 60 && third.tag == tagInteger:
		return "PKCS#1"
	}
	return ""
}

var (
	pkcs7          = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07")
	keyBag         = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01")
	shroudedKeyBag = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02")
)

// isEncrypted reports whether data is the name of a cipher and what it has encrypted.
func isEncrypted(data []byte) bool {
	cipher := readValue(data)
	name, content := readValue(cipher.content), readValue(cipher.rest)
	return cipher.tag == tagSequence && name.tag == tagOID && encrypts(name.content) && content.tag == tagOctets && len(content.rest) == 0
}

// encrypts reports whether an object identifier belongs to PKCS#5, or to PKCS#12's own ciphers.
func encrypts(oid []byte) bool {
	return bytes.HasPrefix(oid, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x05")) || bytes.HasPrefix(oid, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"))
}
