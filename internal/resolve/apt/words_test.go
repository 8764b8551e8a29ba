package apt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/apt"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// requirements requires packages of Debian and of several repositories, named by their paths.
func requirements(t *testing.T, repositories []*testworld.Debian, requests ...lock.Request) apt.Options {
	t.Helper()
	o := apt.Options{
		Requirements: debianRequirements(requests...), Keys: map[string][]byte{}, Mirrors: debian.Mirrors{},
		Getter: debian.NewGetter(t.TempDir()), Progress: func(string) {},
	}
	for _, d := range repositories {
		one := requirement(t, d)
		one.Requirements.Repositories[0].Name = d.Path
		o.Requirements.Repositories = append(o.Requirements.Repositories, one.Requirements.Repositories[0])
		o.Keys[d.Path], o.Mirrors[d.Path] = d.Key, d.URL
	}
	return o
}

// A lock accepts whatever apt accepts of third-party repositories: files of one name and of
// none, other hashes, packages of other architectures, suites used only on request.
func TestAptsWords(t *testing.T) {
	w := testworld.New(t)
	odd := w.Debian(testworld.DebianOptions{Path: "odd", Flat: true},
		testworld.Deb{Name: "hello-one", Filename: "a/package.deb"}, testworld.Deb{Name: "hello-two", Filename: "b/package.deb"},
		testworld.Deb{Name: "nameless", Version: "1:1.0", Filename: "files/12345", Fields: []string{"Conflicts: hello-one:x32, libc6-i386:x32, gone (< 2)", "Depends: python3:any"}},
		testworld.Deb{Name: "further", Fields: []string{"Depends: nameless"}},
		testworld.Deb{Name: "smashed", Filename: "smashed", Made: []byte{}})
	sums := w.Debian(testworld.DebianOptions{Path: "sums", Suite: "sums", Hashes: []string{"SHA512"}}, testworld.Deb{Name: "summed"})
	ports := w.Debian(testworld.DebianOptions{Path: "ports", Suite: "ports", Fields: []string{"NotAutomatic: yes"}},
		testworld.Deb{Name: "summed", Version: "9.0"}, testworld.Deb{Name: "ported", Version: "9.0", Fields: []string{"Depends: porting (>= 9)"}}, testworld.Deb{Name: "porting", Version: "9.0"})
	base := w.Debian(testworld.DebianOptions{Path: "base", Suite: "base", Date: time.Now().Add(-60 * 24 * time.Hour), Valid: time.Hour}, testworld.Deb{Name: "ported"}, testworld.Deb{Name: "porting"})
	idle := w.Debian(testworld.DebianOptions{Path: "idle", Suite: "idle", Fields: []string{"NotAutomatic: yes"}}, testworld.Deb{Name: "summed", Version: "9.0"})
	o := requirements(t, []*testworld.Debian{base, idle, odd, ports, sums},
		lock.Request{Set: lock.ParseSet("extra@debug"), Packages: []string{"further"}},
		lock.Request{Set: lock.ParseSet("runtime"), Packages: []string{"hello-one", "hello-two", "nameless", "ported/ports", "summed"}},
	)
	var notes []string
	o.Client, o.AnyAge, o.Progress = enginetest.Client(t), true, func(s string) { notes = append(notes, s) }
	o.Mirrors = debian.Merge(testworld.RealMirrors(t), o.Mirrors)
	l, err := apt.Lock(t.Context(), o)
	if err != nil {
		t.Fatal(err, failure.Hints(err))
	}
	if drift := slices.Concat(l.Drift(o.Requirements), apt.Drift(o.Requirements, l)); len(drift) > 0 {
		t.Errorf("it drifts from its requirements: %q", drift)
	}
	var got []string
	for _, p := range l.Packages {
		if p.Repository != debian.Main && p.Repository != debian.Security {
			got = append(got, fmt.Sprintln(p.Name, p.Version, p.Path, p.For))
		}
	}
	want := []string{
		"further 1.0 pool/main/f/further/further_1.0_all.deb [extra@debug]\n", "hello-one 1.0 a/package.deb [runtime]\n", "hello-two 1.0 b/package.deb [runtime]\n",
		"nameless 1:1.0 files/12345 [runtime]\n", "ported 9.0 pool/main/p/ported/ported_9.0_all.deb [runtime]\n", "porting 9.0 pool/main/p/porting/porting_9.0_all.deb [runtime]\n",
		"summed 1.0 pool/main/s/summed/summed_1.0_all.deb [runtime]\n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("locked\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
	if _, err := lock.Parse("image.lock", l.Format()); err != nil {
		t.Error(err)
	}
	const note = `nothing is locked from idle: apt takes a package from there only if it is requested as "NAME/idle"`
	if !slices.Contains(notes, note) || slices.ContainsFunc(notes, func(s string) bool { return strings.HasPrefix(s, "nothing is locked from ports") }) {
		t.Errorf("told %q", notes)
	}
}

// Packages that no lock can have are reported, each in a sentence, before apt is fetched.
func TestPackagesThatNoLockCanHave(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	old := w.Debian(testworld.DebianOptions{Path: "old", Suite: "old", Sums: []string{"MD5sum"}}, testworld.Deb{Name: "weak"})
	odd := w.Debian(testworld.DebianOptions{Path: "odd", Flat: true}, testworld.Deb{Name: "smashed", Made: []byte{}}, testworld.Deb{Name: "hello"})
	bad := w.Debian(testworld.DebianOptions{Path: "bad", Flat: true, Sums: []string{"SHA255"}}, testworld.Deb{Name: "hexed", Fields: []string{"SHA256: " + strings.Repeat("x", 64)}})
	o := requirements(t, []*testworld.Debian{bad, odd, old}, lock.Request{Set: lock.ParseSet("runtime"), Packages: []string{"hello/old", "hello/odd", "hexed", "smashed", "weak", "weak/old"}})
	o.Requirements.Suites = nil
	o.Requirements.Requests = o.Requirements.Requests[2:]
	_, err := apt.Lock(t.Context(), o)
	said := fmt.Sprint(err) + "\n" + strings.Join(failure.Hints(err), "\n")
	for _, want := range []string{
		`runtime: package "hello/old": no suite "old" has it`, "it is in ./; [debian].suites lists the suites to search",
		`runtime: package "hello/odd": no suite "odd" has it`,
		`runtime: package "hexed": repository "bad": reading its index: "` + strings.Repeat("x", 64) + `" is not a hash of 64 hexadecimal digits`,
		`runtime: package "smashed": repository "odd": its index lists a size of 0 bytes`,
		`runtime: package "weak": repository "old": its index has neither a SHA256 nor a SHA512 of it, and weaker hashes are not accepted`,
		`runtime: package "weak/old": repository "old": its index has neither`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in:\n%s", want, said)
		}
	}
	if failure.KindOf(err) != failure.Usage {
		t.Errorf("kind %d", failure.KindOf(err))
	}
}
