package debian

import (
	"bytes"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

//go:embed keys/*.gpg
var archiveKeys embed.FS

// Keyring is a set of keys that may sign an index.
type Keyring struct {
	name     string
	entities openpgp.EntityList
}

// ArchiveKeys returns the keys that Debian itself signs with.
func ArchiveKeys() (Keyring, error) {
	ring := Keyring{name: "the keys of Debian's archive"}
	entries, err := archiveKeys.ReadDir("keys")
	if err != nil {
		return Keyring{}, err
	}
	for _, e := range entries {
		data, err := archiveKeys.ReadFile("keys/" + e.Name())
		if err != nil {
			return Keyring{}, err
		}
		one, err := ParseKeys(e.Name(), data)
		if err != nil {
			return Keyring{}, err
		}
		ring.entities = append(ring.entities, one.entities...)
	}
	return ring, nil
}

// ParseKeys reads the public keys in a file, armoured or binary. The name is
// for messages.
func ParseKeys(name string, data []byte) (Keyring, error) {
	read := openpgp.ReadKeyRing
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN PGP")) {
		read = openpgp.ReadArmoredKeyRing
	}
	entities, err := read(bytes.NewReader(data))
	if err == nil && len(entities) == 0 {
		err = errors.New("no key in it")
	}
	if err != nil {
		return Keyring{}, fmt.Errorf("reading key file %q: %w", name, err)
	}
	return Keyring{name: "the keys in " + name, entities: entities}, nil
}

// Fingerprints returns those of the primary keys, upper case.
func (k Keyring) Fingerprints() []string {
	prints := make([]string, len(k.entities))
	for i, e := range k.entities {
		prints[i] = fingerprint(e)
	}
	return prints
}

func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint))
}
