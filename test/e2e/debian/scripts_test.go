package debian

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// world is a repository of packages made for a test, and its user.
type world struct {
	*e2etest.User
	repository *testworld.Debian
}

func newWorld(t *testing.T, debs ...testworld.Deb) world {
	t.Helper()
	return world{e2etest.NewUser(t), testworld.New(t).Debian(testworld.DebianOptions{Path: "own", Flat: true}, debs...)}
}

// project makes a spec that requires some of the packages and nothing else.
func (w world) project(t *testing.T, debian, more string, packages ...string) string {
	t.Helper()
	text := fmt.Sprintf("name = \"faceblend\"\n[debian]\npackages = [\"%s\"]\n%s\n[[debian.repository]]\nname = \"own\"\nurl = \"%s\"\nsuite = \"./\"\nkey = \"own.asc\"\n%s\n",
		strings.Join(packages, `", "`), debian, w.repository.URL, more)
	return e2etest.PythonProject(t, "", map[string]string{"image.toml": text, "own.asc": string(w.repository.Key)})
}

const sh = "#!/bin/sh\nset -e\n"

// scripts returns packages whose scripts depend on the order of dpkg's work.
func scripts() []testworld.Deb {
	return []testworld.Deb{
		// A chain of Pre-Depends, one of them on a name that another package provides, in
		// reverse alphabetical order.
		{Name: "aa-needs", Fields: []string{"Pre-Depends: bb-virtual"}, Control: map[string]string{"preinst": sh + "zz-tool\n"}},
		{Name: "mm-tool", Fields: []string{"Provides: bb-virtual", "Pre-Depends: zz-tool", "Depends: ll-lib"}, Control: map[string]string{"preinst": sh + "zz-tool\n"}, Postinst: sh + "cp /etc/ll /etc/mm\n"},
		{Name: "zz-tool", Files: map[string]string{"/usr/bin/zz-tool": sh + "test -e /etc/zz.ready\n"}, Postinst: sh + "touch /etc/zz.ready\n"},
		{Name: "ll-lib", Postinst: sh + "echo ll >/etc/ll\n"},
		// A package waits for one that no round needs, and breaks dpkg's loop.
		{Name: "loop-a", Fields: []string{"Depends: loop-b"}},
		{Name: "loop-b", Fields: []string{"Depends: loop-a, aa-needs"}, Postinst: sh + "test -e /etc/mm\n"},
		// A trigger, before which all packages that activate it must be configured.
		{Name: "aa-trigger", Control: map[string]string{"triggers": "interest-noawait /opt/trigger\n"}, Postinst: sh + "if [ \"$1\" = triggered ]; then echo \"$(echo $(ls /opt/trigger))\" >>/etc/triggered; fi\n"},
		{Name: "trigger-b", Fields: []string{"Pre-Depends: aa-trigger"}, Files: map[string]string{"/opt/trigger/b": ""}},
		{Name: "trigger-c", Fields: []string{"Pre-Depends: trigger-b"}, Files: map[string]string{"/opt/trigger/c": ""}},
		// A script that reads what the image leaves out.
		{Name: "reads-doc", Files: map[string]string{"/usr/share/doc/reads-doc/a.conf": "a\n"}, Postinst: sh + "cp /usr/share/doc/reads-doc/a.conf /etc/a.conf\n"},
		{
			Name: "asks", Fields: []string{"Depends: debconf"}, Control: map[string]string{
				"templates": "Template: asks/who\nType: string\nDescription: who\n who it is\n", "config": sh + ". /usr/share/debconf/confmodule\ndb_input critical asks/who || true\ndb_go\n",
			},
			Postinst: sh + ". /usr/share/debconf/confmodule\ndb_get asks/who\necho \"it is <$RET>\" >&2\n[ -n \"$RET\" ]\necho \"$RET\" >/etc/who\n",
		},
		{Name: "pre-a", Fields: []string{"Pre-Depends: pre-b"}},
		{Name: "pre-b", Fields: []string{"Pre-Depends: pre-a"}},
		{Name: "pre-c", Fields: []string{"Pre-Depends: pre-d"}},
		{Name: "pre-d", Fields: []string{"Depends: pre-c"}},
		{Name: "fails", Postinst: sh + "for i in $(seq 3000); do echo line $i; done\nexit 7\n"},
		{Name: "fails-first", Control: map[string]string{"preinst": sh + "echo no way\nexit 3\n"}},
		{Name: "downloads", Postinst: sh + "perl -e 'use Socket; inet_aton(\"deb.example\") or die \"unable to resolve host address deb.example\\n\"'\n"},
		{Name: "resolves", Postinst: sh + "ln -sf ../run/resolv.conf /etc/resolv.conf\n"},
	}
}

// Scripts run in the order that they need, in the runtime and in a variant's packages; their questions are answered; files that they read are there.
func TestRealOrderOfScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, scripts()...)
	all := []string{"loop-a", "trigger-c", "reads-doc", "asks"}
	const answer = "debconf = [\"asks asks/who string an  answer\"]\n"
	const extra = "[variant.extra]\nextra-packages = [\"loop-a\", \"trigger-c\", \"reads-doc\", \"asks\"]\n"
	for name, tt := range map[string]struct{ dir, variant string }{
		"runtime": {w.project(t, answer, "", all...), "production"},
		"extra":   {w.project(t, answer, extra, "zz-tool"), "extra"},
	} {
		t.Run(name, func(t *testing.T) {
			u := *w.User
			u.Dir = t.TempDir()
			u.Build(t, tt.dir, "--variant", tt.variant, "--smoke", "off")
			l, image := u.Image(t, tt.variant)
			files := e2etest.Files(t, l, image)
			for path, want := range map[string]string{"/etc/mm": "ll\n", "/etc/triggered": "b c\n", "/etc/a.conf": "a\n", "/etc/who": "an  answer\n"} {
				if got := files[path]; got.Size != int64(len(want)) {
					t.Errorf("%s is %+v, want %q", path, got, want)
				}
			}
			if _, ok := files["/usr/share/doc/reads-doc/a.conf"]; ok {
				t.Error("the image has documentation")
			}
		})
	}
}

// In the builder, scripts run as in the runtime, and are reported as there.
func TestRealScriptsInTheBuilder(t *testing.T) {
	longer(t)
	t.Parallel()
	w := newWorld(t, scripts()...)
	const builder = "[builder]\npackages = [\"loop-a\", \"trigger-c\", \"reads-doc\", \"asks\""
	dir := w.project(t, "debconf = [\"asks asks/who string answer\"]\n", builder+", \"fails\"]\n", "zz-tool")
	w.Fails(t, 1, []string{"builder: install ", ": exit code: 1: fails: its post-installation script ended with exit status 7"}, dir, "--smoke", "off", "--progress", "quiet")
	w.HasNoImage(t)
	e2etest.Edit(t, dir+"/image.toml", `, "fails"]`, "]")
	w.Build(t, "lock", dir)
	w.Build(t, dir, "--smoke", "off")
}

// The error for a failing script has its last lines, and what to do about it; the same
// image builds without it.
func TestRealScriptsThatFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, scripts()...)
	problems := map[string]struct {
		packages string
		says     []string
	}{
		"fails":     {"fails", []string{"line 3000\n", "extra: install 1 packages: exit code: 1: fails: its post-installation script ended with exit status 7"}},
		"preinst":   {"fails-first", []string{"no way\n", "exit code: 1: fails-first: its pre-installation script ended with exit status 3"}},
		"downloads": {"downloads", []string{"downloads: its post-installation script", "hint: the network is off while packages are installed"}},
		"resolves":  {"resolves", []string{"resolves: its post-installation script", "hint: /etc/resolv.conf belongs to the engine while packages are installed"}},
		"asks":      {"asks", []string{"it is <>\n", "asks: its post-installation script", `hint: it asks debconf; answer it with debconf = ["asks asks/who string VALUE"] under [debian]; its questions: asks asks/who string`}},
		"loop":      {"pre-a", []string{"none of these packages can be the first: pre-a pre-depends on pre-b, pre-b pre-depends on pre-a"}},
		"wide-loop": {"pre-c", []string{"none of these packages can be the first: pre-c pre-depends on pre-d, pre-d depends on pre-c"}},
	}
	var more strings.Builder
	for variant, problem := range problems {
		fmt.Fprintf(&more, "[variant.%s]\nextra-packages = [\"%s\"]\n", variant, problem.packages)
	}
	dir := w.project(t, "", more.String(), "zz-tool")
	w.Build(t, dir, "--smoke", "off")
	before := w.Digest(t)
	for variant, problem := range problems {
		t.Run(variant, func(t *testing.T) {
			r := w.Run(t, dir, "--variant", variant, "--smoke", "off", "--progress", "quiet")
			if r.Code != 1 {
				t.Errorf("exit code %d", r.Code)
			}
			for _, text := range problem.says {
				if !strings.Contains(r.Stderr, strings.Replace(text, "extra: ", variant+": ", 1)) {
					t.Errorf("it does not print %q:\n%s", text, r.Stderr)
				}
			}
			if strings.Contains(r.Stderr, "line 2900\n") || strings.Contains(r.Stderr, "lamina: ") {
				t.Errorf("it prints too much:\n%s", r.Stderr)
			}
		})
	}
	if w.Digest(t) != before {
		t.Error("the previous image changed")
	}
}

// Variants that one call builds share their work: what they have in common is installed once.
func TestRealVariantsOfOneCall(t *testing.T) {
	t.Parallel()
	now := time.Now().String() // no engine has installed it
	w := newWorld(t,
		testworld.Deb{Name: "common", Files: map[string]string{"/etc/common": now}, Postinst: sh + "echo configured the common one\n"},
		testworld.Deb{Name: "further", Files: map[string]string{"/etc/further": now}, Postinst: sh + "echo configured the further one\n"},
	)
	dir := w.project(t, "", "[variant.more]\nextra-packages = [\"further\"]\n", "common")
	r := w.Build(t, dir, "--variant", "production,more", "--smoke", "off", "--progress", "plain")
	for _, which := range []string{"common", "further"} {
		if n := strings.Count(r.Stderr, " configured the "+which+" one\n"); n != 1 {
			t.Errorf("%q is installed %d times\n%s", which, n, e2etest.Tail(r.Stderr))
		}
	}
	_, production := w.Image(t, "production")
	_, more := w.Image(t, "more")
	if n := len(production.Manifest.Layers); len(more.Manifest.Layers) != n+1 || more.Manifest.Layers[0].Digest != production.Manifest.Layers[0].Digest {
		t.Errorf("the variants have %d and %d layers, or not the same first one", n, len(more.Manifest.Layers))
	}
}

// A variant's packages may remove, divert and replace files of the runtime: the image is
// dpkg's result of both, without whiteouts. Variants that remove nothing share the
// runtime's layer.
func TestRealPackagesThatTakeAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t,
		testworld.Deb{Name: "diverts", Files: map[string]string{"/usr/bin/yes": "#!/bin/true\n"}, Control: map[string]string{"preinst": sh + "dpkg-divert --package diverts --add --rename --divert /usr/bin/yes.distrib /usr/bin/yes\n"}},
		testworld.Deb{Name: "deletes", Postinst: sh + "rm /etc/issue.net\nrm -r /etc/profile.d\nln -s opt /etc/profile.d\nln -sf /bin/true /usr/bin/factor\n"},
		testworld.Deb{Name: "replaces", Files: map[string]string{"/usr/bin/owned": "#!/bin/false\n"}, Fields: []string{"Replaces: owner"}},
		testworld.Deb{Name: "owner", Files: map[string]string{"/usr/bin/owned": "#!/bin/true\n", "/usr/bin/own": "#!/bin/true\n"}},
	)
	dir := w.project(t, "", "[variant.less]\nextra-packages = [\"diverts\", \"deletes\"]\n[variant.other]\nextra-packages = [\"replaces\"]\n", "owner")
	digests := map[string]digest.Digest{}
	for _, variant := range []string{"production", "less", "other"} {
		r := w.Build(t, dir, "--variant", variant, "--smoke", "off")
		l, image := w.Image(t, variant)
		digests[variant] = image.Manifest.Layers[0].Digest
		files := e2etest.Files(t, l, image)
		link := files["/etc/profile.d"].Link
		_, issue := files["/etc/issue.net"]
		_, distrib := files["/usr/bin/yes.distrib"]
		switch isLess := variant == "less"; {
		case issue == isLess, distrib != isLess, (link == "opt") != isLess, (files["/usr/bin/factor"].Link == "/bin/true") != isLess:
			t.Errorf("%s: it has issue.net: %v, yes.distrib: %v, profile.d -> %q, factor %+v", variant, issue, distrib, link, files["/usr/bin/factor"])
		case strings.Contains(r.Stderr, "remove files of the runtime") != isLess, (len(image.Manifest.Layers) == 1) != (variant != "other"):
			t.Errorf("%s: %d layers\n%s", variant, len(image.Manifest.Layers), r.Stderr)
		}
	}
	if digests["production"] != digests["other"] || digests["production"] == digests["less"] {
		t.Errorf("the layers of the operating system are %v", digests)
	}
	ran, cached := e2etest.Execs(w.Build(t, dir, "--variant", "less", "--smoke", "off", "--progress", "rawjson").Stderr)
	if len(ran) > 0 || len(cached) == 0 {
		t.Errorf("built again: %q ran, %q did not", ran, cached)
	}
}
