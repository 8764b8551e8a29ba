package testworld

import (
	"bytes"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// KeyOptions says when a key was made and how long it is valid.
type KeyOptions struct {
	Made     time.Time     // default: a day ago
	Lifetime time.Duration // default: for ever
}

// NewKey makes a signing key.
func NewKey(t testing.TB, o KeyOptions) *openpgp.Entity {
	t.Helper()
	if o.Made.IsZero() {
		o.Made = time.Now().Add(-24 * time.Hour)
	}
	key, err := openpgp.NewEntity("Test", "", "test@deb.example", &packet.Config{
		Algorithm:       packet.PubKeyAlgoEdDSA,
		Time:            func() time.Time { return o.Made },
		KeyLifetimeSecs: uint32(o.Lifetime / time.Second), //nolint:gosec // a test's hours
	})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Armoured returns the public halves of keys as a key file.
func Armoured(t testing.TB, keys ...*openpgp.Entity) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := k.Serialize(w); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func privateKeys(entities []*openpgp.Entity) []*packet.PrivateKey {
	keys := make([]*packet.PrivateKey, 0, len(entities))
	for _, e := range entities {
		keys = append(keys, e.PrivateKey)
	}
	return keys
}
