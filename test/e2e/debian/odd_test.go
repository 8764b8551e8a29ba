package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/platforms"

	"lamina.build"
	"lamina.build/internal/layers"
	"lamina.build/internal/solve"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/llb"
	"lamina.build/stages"
)

// Odd files that packages bring or make are in the image unchanged, or end the build with
// one sentence, and the previous image doesn't change.
func TestRealOddPackages(t *testing.T) {
	longer(t)
	t.Parallel()
	kinds := []struct {
		deb  testworld.Deb
		says []string // where it is refused
		has  string   // a path of the image
	}{
		{testworld.Deb{Name: "makes-fifo", Postinst: sh + "mkdir /opt/odd\nmkfifo /opt/odd/fifo\nperl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un(\"/opt/odd/socket\")) or die'\n"}, nil, "/opt/odd/fifo"},
		{testworld.Deb{Name: "makes-device", Postinst: sh + "mknod /opt/null c 1 3\n"}, []string{"/opt/null is a device node"}, ""},
		{testworld.Deb{Name: "writes-proc", Postinst: sh + "echo x >/proc/sys/kernel/domainname\n"}, []string{"writes-proc: its post-installation script ended with exit status"}, ""},
		{testworld.Deb{Name: "removes-usr", Postinst: sh + "rm -rf /usr\n"}, []string{": install 1 packages: exit code: ", "while removes-usr was installed"}, ""},
		{testworld.Deb{Name: "huge", Postinst: sh + "truncate -s 10G /opt/huge\n"}, []string{"huge: its post-installation script ended with exit status", "hint: no file in a layer may exceed 9 GiB"}, ""},
		{testworld.Deb{Name: "latin", Files: map[string]string{"/opt/caf\xe9": "x"}}, nil, "/opt/caf\xe9"},
		{testworld.Deb{Name: "two-lines", Entries: []tar.Header{{Name: "./opt/a\nb", Typeflag: tar.TypeReg, Mode: 0o644}}}, []string{"two-lines_1.0_all.deb: newline not allowed in archive object name"}, ""},
		{testworld.Deb{Name: "reads", Postinst: sh + "printf 'who? '\nread answer\n"}, []string{"reads: its post-installation script ended with exit status 1"}, ""},
		{testworld.Deb{Name: "killed", Postinst: sh + "kill -9 $$\n"}, []string{"killed: its post-installation script was killed by signal (Killed)"}, ""},
		{testworld.Deb{Name: "clash", Files: map[string]string{"/bin/true": "x"}}, []string{"clash_1.0_all.deb: trying to overwrite '/bin/true', which is also in package coreutils"}, ""},
	}
	debs, more := []testworld.Deb{{Name: "plain"}, {Name: "enemy", Fields: []string{"Conflicts: coreutils"}}}, ""
	for _, k := range kinds {
		debs = append(debs, k.deb)
		more += fmt.Sprintf("[variant.%s]\nextra-packages = [\"%s\"]\n", k.deb.Name, k.deb.Name)
	}
	w := newWorld(t, debs...)
	dir := w.project(t, "", more, "plain")
	w.Build(t, dir, "--smoke", "off")
	before := w.Digest(t)
	for _, k := range kinds {
		t.Run(k.deb.Name, func(t *testing.T) {
			if k.has == "" {
				w.Fails(t, 1, k.says, dir, "--variant", k.deb.Name, "--smoke", "off", "--progress", "quiet")
				return
			}
			w.Build(t, dir, "--variant", k.deb.Name, "--smoke", "off")
			l, image := w.Image(t, k.deb.Name)
			if _, ok := e2etest.Files(t, l, image)[k.has]; !ok {
				t.Errorf("the image has no %q", k.has)
			}
		})
	}
	if r := w.Build(t, dir, "--smoke", "off"); w.Digest(t) != before {
		t.Errorf("the previous image changed:\n%s", r.Stdout)
	}
	e2etest.Edit(t, dir+"/image.toml", `packages = ["plain"]`, "packages = [\"plain\"]\ndebconf = [\"nobody nobody/asks string x\"]")
	w.Fails(t, 2, []string{`image.toml:4:12: debconf: no package "nobody" is locked`}, dir, "--smoke", "off")
	e2etest.Edit(t, dir+"/image.toml", `packages = ["plain"]`, `packages = ["plain", "enemy"]`)
	w.Fails(t, 2, []string{"apt can't install", "enemy"}, "lock", dir)
	e2etest.Edit(t, dir+"/image.toml", `, "enemy"]`, `, "plain:i386"]`)
	w.Fails(t, 2, []string{"image.toml:3:22: ", "has architecture i386"}, "lock", dir)
	if got := strings.Count(w.Run(t, "lock", dir).Stderr, "build: error:"); got != 1 {
		t.Errorf("it prints %d errors", got)
	}
}

// A script that waits forever is stopped, and its package named.
func TestRealScriptThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testworld.Deb{Name: "plain"}, testworld.Deb{Name: "hangs", Postinst: sh + "echo I wait\nsleep 1000000\n"})
	dir := w.project(t, "", "[variant.more]\nextra-packages = [\"hangs\"]\n", "plain")
	w.Build(t, dir, "--smoke", "off")
	p, err := lamina.Open(dir, lamina.Options{CacheDir: filepath.Join(w.Cache, "lamina"), Env: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var lists llb.State
	if _, err = p.Draw(t.Context(), lamina.Build{Variant: "more", Draw: func(in stages.Input) (stages.Image, error) {
		lists, _ = stages.Extra(in)
		return stages.New(in)
	}}); err != nil {
		t.Fatal(err)
	}
	store, err := layers.OpenStore(t.Context(), filepath.Join(w.Cache, "lamina", "packed"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, err = solve.Read(t.Context(), enginetest.Client(t), solve.ReadRequest{State: lists, Platform: platforms.MustParse("linux/amd64"), Store: store, Names: []string{"status"}, Silence: 10 * time.Second})
	if want := "more: install 1 packages: it printed nothing for too long and was stopped, while hangs was installed"; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	if step, ok := errors.AsType[*solve.Error](err); !ok || !strings.Contains(step.Output, "I wait") {
		t.Errorf("its output is %+v", step)
	}
}
