package debian_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/test/testworld"
)

func TestASignedIndexIsRead(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options testworld.DebianOptions
	}{
		{"by hash", testworld.DebianOptions{}},
		{"no hashes for names", testworld.DebianOptions{NoByHash: true}},
		{"xz only", testworld.DebianOptions{Compressions: []string{".xz"}}},
		{"not compressed", testworld.DebianOptions{Compressions: []string{""}}},
		{"flat", testworld.DebianOptions{Flat: true}},
		{"detached signature", testworld.DebianOptions{Detached: true}},
		{"valid for a week", testworld.DebianOptions{Valid: 7 * 24 * time.Hour}},
		{"two signers", testworld.DebianOptions{Signers: []*openpgp.Entity{
			testworld.NewKey(t, testworld.KeyOptions{}), testworld.NewKey(t, testworld.KeyOptions{}),
		}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := testworld.New(t).Debian(tc.options,
				testworld.Deb{Name: "hello", Fields: []string{"Depends: libc6 (>= 2),", " libfoo"}},
				testworld.Deb{Name: "hello", Version: "1:0.9"},
			)
			x, err := index(t, getter(t), d)
			if err != nil {
				t.Fatal(err, failure.Hints(err))
			}
			p, ok := x.Best("hello")
			if !ok || p.Version != "1:0.9" {
				t.Errorf("got %v, want hello with the epoch", p)
			}
			if got := x.Candidates("hello")[0].Depends; got != "libc6 (>= 2), libfoo" {
				t.Errorf("Depends: got %q", got)
			}
		})
	}
}

func TestOneTrustedSignatureIsEnough(t *testing.T) {
	t.Parallel()
	other, friend := testworld.NewKey(t, testworld.KeyOptions{}), testworld.NewKey(t, testworld.KeyOptions{})
	d := testworld.New(t).Debian(testworld.DebianOptions{Signers: []*openpgp.Entity{other, friend}})
	d.Key = testworld.Armoured(t, friend)
	m, s := source(t, d)
	r, err := getter(t).Release(t.Context(), m, s, time.Now(), silent)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Signers) != 1 || r.Signers[0] != s.Keys.Fingerprints()[0] {
		t.Errorf("signers: got %v, want %v", r.Signers, s.Keys.Fingerprints())
	}
}

func TestAnUntrustworthyIndexIsRefused(t *testing.T) {
	old := testworld.NewKey(t, testworld.KeyOptions{Made: time.Now().Add(-72 * time.Hour), Lifetime: 48 * time.Hour})
	path := "/debian/dists/bookworm/InRelease"
	for _, tc := range []struct {
		name    string
		options testworld.DebianOptions
		corrupt func(w *testworld.World, d *testworld.Debian)
		want    string
	}{
		{
			name: "unknown key",
			corrupt: func(_ *testworld.World, d *testworld.Debian) {
				d.Key = testworld.Armoured(t, testworld.NewKey(t, testworld.KeyOptions{}))
			},
			want: "not among the keys in key.asc",
		},
		{
			name: "altered",
			corrupt: func(w *testworld.World, _ *testworld.Debian) {
				w.Put(path, bytes.Replace(w.Content(path), []byte("Origin: Test"), []byte("Origin: Tess"), 1))
			},
			want: "altered after it was signed",
		},
		{
			name: "something before the text",
			corrupt: func(w *testworld.World, _ *testworld.Debian) {
				w.Put(path, append(w.Content(path), "Codename: other\n"...))
			},
			want: "more text follows",
		},
		{
			name:    "unsigned",
			corrupt: func(w *testworld.World, _ *testworld.Debian) { w.Put(path, []byte("Codename: bookworm\n")) },
			want:    "it is not signed",
		},
		{
			name:    "a login page",
			corrupt: func(w *testworld.World, _ *testworld.Debian) { w.Put(path, []byte("<html>sign in</html>")) },
			want:    "it is not signed",
		},
		{name: "expired", options: testworld.DebianOptions{Valid: time.Minute}, want: "it expired on"},
		{name: "another suite", options: testworld.DebianOptions{Says: "trixie"}, want: "index of the suite stable or trixie"},
		{
			name: "hashes that are none",
			corrupt: func(_ *testworld.World, d *testworld.Debian) {
				d.Sign([]byte("Codename: bookworm\nDate: Mon, 30 Nov 2026 00:00:00 UTC\nSHA256:\n " + strings.Repeat("xy", 32) + " 10 main/binary-amd64/Packages.gz\n"))
			},
			want: strings.Repeat("xy", 32) + `" is not a hash of 64 hexadecimal digits`,
		},
		{name: "weak hashes", options: testworld.DebianOptions{Hashes: []string{"MD5Sum"}}, want: "it has neither a SHA256 nor a SHA512 list, and weaker hashes are not accepted"},
		{
			name:    "expired key",
			options: testworld.DebianOptions{Signers: []*openpgp.Entity{old}, Date: time.Now().Add(-60 * time.Hour)},
			want:    "has expired",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			d := w.Debian(tc.options, testworld.Deb{Name: "hello"})
			if tc.corrupt != nil {
				tc.corrupt(w, d)
			}
			_, err := index(t, getter(t), d)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "the index of debian bookworm") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if len(failure.Hints(err)) == 0 {
				t.Errorf("no hint with %v", err)
			}
		})
	}
}

// An expired index is accepted on request, since archives of the past never change.
func TestAnExpiredIndexIsTakenOnRequest(t *testing.T) {
	t.Parallel()
	d := testworld.New(t).Debian(testworld.DebianOptions{Valid: time.Minute}, testworld.Deb{Name: "hello"})
	m, s := source(t, d)
	s.AnyAge = true
	if _, err := getter(t).Release(t.Context(), m, s, time.Now(), silent); err != nil {
		t.Error(err)
	}
}

// Without a SHA256, files are verified by their SHA512.
func TestAnIndexOfAnotherHash(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	d := w.Debian(testworld.DebianOptions{Hashes: []string{"SHA512"}}, testworld.Deb{Name: "hello"}, testworld.Deb{Name: "corrupted"})
	g := getter(t)
	x, err := index(t, g, d)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := source(t, d)
	hello, _ := x.Best("hello")
	for range 2 { // fetched, and cached
		name, err := g.Package(t.Context(), m, hello)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(name)
		if sum, err := debian.SHA256(name); err != nil || sum != fmt.Sprintf("%x", sha256.Sum256(data)) || !bytes.Equal(data, testworld.Deb{Name: "hello"}.Bytes(t)) {
			t.Errorf("%s has the sha256 %s, %v", name, sum, err)
		}
	}
	w.Fail("/debian/pool/**", testworld.Wrong(testworld.Always))
	corrupted, _ := x.Best("corrupted")
	if _, err := g.Package(t.Context(), m, corrupted); err == nil || !strings.Contains(err.Error(), "its sha512 is") {
		t.Errorf("got %v", err)
	}
}

// A file may have several blocks of keys, with text around them.
func TestKeysInSeveralBlocks(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer
	for range 3 {
		all.WriteString("a key of ours:\n")
		all.Write(testworld.Armoured(t, testworld.NewKey(t, testworld.KeyOptions{})))
		all.WriteString("\n\n")
	}
	keys, err := debian.ParseKeys("key.asc", all.Bytes())
	if prints := keys.Fingerprints(); err != nil || len(prints) != 3 || prints[0] == prints[2] {
		t.Errorf("got %v, %v", prints, err)
	}
	cut := bytes.LastIndex(all.Bytes(), []byte("-----BEGIN")) + 120
	if _, err = debian.ParseKeys("key.asc", all.Bytes()[:cut]); err == nil {
		t.Error("half a key is accepted")
	}
}

func TestPackagesThatDoNotMatchTheIndexAreRefused(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	d := w.Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"})
	w.Fail("/debian/dists/bookworm/main/**", testworld.Wrong(testworld.Always))
	_, err := index(t, getter(t), d)
	var mismatch *fetch.MismatchError
	if !errors.As(err, &mismatch) || failure.KindOf(err) != failure.Transient || len(failure.Hints(err)) == 0 {
		t.Errorf("got %v, want a transient mismatch with a hint", err)
	}
}

func TestPlainNamesServeWhereHashesAreMissing(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	d := w.Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"})
	w.Fail("/debian/dists/bookworm/main/binary-amd64/by-hash/**", testworld.Status(http.StatusNotFound, testworld.Always))
	if _, err := index(t, getter(t), d); err != nil {
		t.Error(err)
	}
}

func TestAnUnknownComponentIsNamed(t *testing.T) {
	t.Parallel()
	d := testworld.New(t).Debian(testworld.DebianOptions{Components: []string{"main", "contrib"}})
	d.Components = []string{"main", "non-free", "nonsense"}
	_, err := index(t, getter(t), d)
	if err == nil || !strings.Contains(err.Error(), `"non-free"`) || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("got %v, want both named", err)
	}
	if got := strings.Join(failure.Hints(err), ""); !strings.Contains(got, "main, contrib") || failure.KindOf(err) != failure.Usage {
		t.Errorf("hints: got %q", got)
	}
}

// A suite that no mirror has is a usage error, like a misspelt flag.
func TestAnUnknownSuiteIsAnErrorOfUsage(t *testing.T) {
	t.Parallel()
	m, s := source(t, testworld.New(t).Debian(testworld.DebianOptions{}))
	s.Suite = "bokworm"
	_, err := getter(t).Release(t.Context(), m, s, time.Now(), silent)
	if failure.KindOf(err) != failure.Usage || !strings.Contains(strings.Join(failure.Hints(err), ""), "check the suite") {
		t.Errorf("got %v (%v), of kind %d", err, failure.Hints(err), failure.KindOf(err))
	}
}

func TestWithoutNetworkTheLastIndexServes(t *testing.T) {
	for detached, files := range map[bool]int{false: 1, true: 2} {
		t.Run(fmt.Sprintf("detached %v", detached), func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			d := w.Debian(testworld.DebianOptions{Valid: 2 * time.Hour, Detached: detached}, testworld.Deb{Name: "hello"})
			g := getter(t)
			if _, err := index(t, g, d); err != nil {
				t.Fatal(err)
			}
			w.Stop()
			m, s := source(t, d)
			var notes []string
			_, err := g.Release(t.Context(), m, s, time.Now(), func(s string) { notes = append(notes, s) })
			if err != nil || len(notes) != files {
				t.Errorf("got %v and the notes %q, want %d", err, notes, files)
			}
			if _, err = g.Release(t.Context(), m, s, time.Now().Add(3*time.Hour), silent); err == nil {
				t.Error("an expired index was used from the cache")
			}
			empty := getter(t)
			_, err = empty.Release(t.Context(), m, s, time.Now(), silent)
			if failure.KindOf(err) != failure.Transient || !strings.Contains(strings.Join(failure.Hints(err), " "), "--debian-mirror") {
				t.Errorf("got %v (%v), want a transient error with a hint", err, failure.Hints(err))
			}
		})
	}
}

// Indexes are signed several times a day, and clocks may be wrong by hours.
func TestAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	m, s := source(t, testworld.New(t).Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"}))
	if _, err := getter(t).Release(t.Context(), m, s, time.Now().Add(-time.Hour), silent); err != nil {
		t.Error(err)
	}
	_, err := getter(t).Release(t.Context(), m, s, time.Now().Add(-48*time.Hour), silent)
	if err == nil || !strings.Contains(err.Error(), "from the future by this machine's clock") {
		t.Errorf("two days behind: got %v", err)
	}
}

func TestACorruptedIndexDoesNotReplaceAGoodOne(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	d := w.Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"})
	g := getter(t)
	if _, err := index(t, g, d); err != nil {
		t.Fatal(err)
	}
	w.Put("/debian/dists/bookworm/InRelease", []byte("<html>sign in</html>"))
	if _, err := index(t, g, d); err == nil {
		t.Fatal("a login page was accepted as an index")
	}
	w.Stop()
	if _, err := index(t, g, d); err != nil {
		t.Error(err)
	}
}

func TestDebiansOwnKeysAreShipped(t *testing.T) {
	t.Parallel()
	keys, err := debian.ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(keys.Fingerprints(), " ")
	for _, want := range []string{
		"B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8", "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",
		"4D64FEC119C2029067D6E791F8D2585B8783D481", "04B54C3CDCA79751B16BC6B5225629DF75B188BD",
		"5E04A1E3223A19A20706E20F9904613D4CCE68C6", "41587F7DB8C774BCCF131416762F67A0B2C39DE4",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the key %s is missing", want)
		}
	}
}

func TestAFileWithoutAKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "no key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"} {
		if _, err := debian.ParseKeys("bad.asc", []byte(text)); err == nil || !strings.Contains(err.Error(), "bad.asc") {
			t.Errorf("%q: got %v, want an error that names the file", text, err)
		}
	}
}

// FuzzOnlyWhatWasSignedIsRead alters a signed index anywhere.
func FuzzOnlyWhatWasSignedIsRead(f *testing.F) {
	w := testworld.New(f)
	d := w.Debian(testworld.DebianOptions{})
	keys, err := debian.ParseKeys("key", d.Key)
	if err != nil {
		f.Fatal(err)
	}
	signed := w.Content("/debian/dists/bookworm/InRelease")
	genuine, _, err := keys.Verify("index", signed, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(60, byte('x'))
	f.Add(len(signed)-40, byte('-'))
	f.Fuzz(func(t *testing.T, at int, with byte) {
		if at < 0 || at >= len(signed) {
			t.Skip()
		}
		altered := bytes.Clone(signed)
		altered[at] = with
		text, _, err := keys.Verify("index", altered, time.Now())
		if err == nil && normal(text) != normal(genuine) {
			t.Errorf("byte %d as %q: a different text was accepted:\n%s", at, with, text)
		}
	})
}

// normal drops what a clear signature does not cover: space at the ends of lines.
func normal(text []byte) string {
	lines := strings.Split(string(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r")
	}
	return strings.Join(lines, "\n")
}
