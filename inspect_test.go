package lamina

import (
	"errors"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/lock"
)

// A lock that another version of Lamina attached is a lock, and its error says what it is.
func TestLocksThatOtherVersionsAttached(t *testing.T) {
	old := e2etest.FormatOne(lock.Lock{Requirements: lock.Requirements{Platform: "linux/amd64"}})
	newer := []byte("version = 99\n")
	for media, tt := range map[string]struct {
		text []byte
		want error
	}{
		"application/vnd.lamina.lock.v1+toml":  {old, lock.ErrOld},
		"application/vnd.lamina.lock.v99+toml": {newer, lock.ErrVersion},
	} {
		i := Inspected{Name: "it", Attached: []Attached{{Type: "application/vnd.lamina.lock.vx+toml", Data: []byte("x")}, {Type: media, Data: tt.text}}}
		if data, ok := i.Document(LockType()); !ok || string(data) != string(tt.text) {
			t.Errorf("%s: the document is %q", media, data)
		}
		if _, err := i.AttachedLock(); !errors.Is(err, tt.want) || KindOf(err) != Findings || len(Hints(err)) == 0 {
			t.Errorf("%s: it says %v", media, err)
		}
	}
}
