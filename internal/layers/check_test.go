package layers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/layers"
	"lamina.build/llb"
)

// messages splits the findings.
func messages(err error) (list []string) {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestLayersAgainstTheBase(t *testing.T) {
	tests := []struct {
		name  string
		paths string
		want  []string // the paths that are refused
	}{
		{"an app", "/app/ /app/handler.py /srv/x", nil},
		{"usr is where it belongs", "/usr/ /usr/bin/ /usr/bin/x /usr/lib/x /usr/lib64/x", nil},
		{"next to what is special", "/var/ /var/lib/ /var/lib/x /tmpl/x /run/app/x /etc/app.conf /library/x /devices/x", nil},
		{"sticky parents", "/tmp/ /tmp/x /var/tmp/y/z /run/lock/q", []string{"/run/lock", "/tmp", "/var/tmp"}},
		{"parents that the layer does not list", "/root/.cache/hub/x", []string{"/root"}},
		{"other modes and owners", "/var/mail/x /var/local/x /etc/ssl/private/key", []string{"/etc/ssl/private", "/var/local", "/var/mail"}},
		{"merged usr", "/bin/x /sbin/x /lib/a/b /lib32/x /lib64/ld.so /libx32/x", []string{"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"}},
		{"a link or file in a link's place", "/lib", []string{"/lib"}},
		{"other links of the base", "/var/run/app.pid /var/lock/x", []string{"/var/lock", "/var/run"}},
		{"system", "/proc/x /sys/ /dev/null", []string{"/dev", "/proc", "/sys"}},
		{
			"files of the base", "/etc/ /etc/passwd /etc/group /etc/shadow /etc/hosts /etc/resolv.conf /etc/passwd.d/x",
			[]string{"/etc/group", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/etc/shadow"},
		},
		{"unclean", "relative /a/../b", []string{"relative", "/a/../b"}},
		{"whiteouts", "/app/.wh.x /app/.wh..wh..opq", []string{"/app/.wh..wh..opq", "/app/.wh.x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := layers.Check(3, []llb.Layer{{Name: "app", Paths: strings.Fields(tt.paths)}}, nil)
			got := map[string]bool{}
			for _, m := range messages(err) {
				got[strings.Split(m, `"`)[3]] = true
			}
			want := map[string]bool{}
			for _, p := range tt.want {
				want[p] = true
			}
			if diff := cmp.Diff(want, got); diff != "" || len(messages(err)) != len(tt.want) {
				t.Errorf("refused (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

// Directories in packages of Debian 12 whose mode isn't 0755: a layer with something in
// them would reset it.
func TestModesOfDebiansPackages(t *testing.T) {
	for paths, mode := range map[string]string{
		"/tmp /var/tmp /run/lock":           "1777", // base-files, systemd
		"/root /lost+found":                 "0700", // base-files, e2fsprogs
		"/var/mail /var/local":              "2775", // base-files
		"/var/cache/ldconfig":               "0700", // libc-bin
		"/var/cache/apt/archives/partial":   "0700", // apt
		"/var/lib/apt/lists/partial":        "0700", // apt
		"/var/log/apt":                      "0750", // apt
		"/var/lib/private /var/log/private": "0700", // systemd
		"/var/cache/private":                "0700", // systemd
		"/var/spool/cron/crontabs":          "1730", // cron
		"/etc/ssl/private":                  "0710", // ssl-cert
		"/etc/sudoers.d":                    "0750", // sudo
		"/etc/polkit-1/rules.d":             "0700", // polkitd
	} {
		for p := range strings.FieldsSeq(paths) {
			want := fmt.Sprintf("layer \"app\": path %q: has the mode %s or its own owner in the base, which would be reset", p, mode)
			if got := messages(layers.Check(1, []llb.Layer{{Name: "app", Paths: []string{p + "/x"}}}, nil)); len(got) != 1 || got[0] != want {
				t.Errorf("got %q, want %s", got, want)
			}
		}
	}
}

// Layers must not contain what the base, its postinst scripts or the container runtime write.
func TestFilesOfTheBase(t *testing.T) {
	for p := range strings.FieldsSeq(`
		/etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid
		/etc/hosts /etc/hostname /etc/resolv.conf /etc/mtab /etc/machine-id /.dockerenv
		/etc/ld.so.cache /etc/nsswitch.conf /etc/os-release /usr/lib/os-release /etc/debian_version
		/var/lib/dpkg/status /var/lib/dpkg/lock /var/lib/dpkg/diversions /var/lib/dpkg/statoverride`) {
		got := messages(layers.Check(1, []llb.Layer{{Name: "app", Paths: []string{p}}}, nil))
		if len(got) != 1 || !strings.HasSuffix(got[0], "belongs to the base or to the container runtime") {
			t.Errorf("%s: got %q", p, got)
		}
	}
}

func TestLayersAgainstEachOther(t *testing.T) {
	app := llb.Layer{Name: "app", Paths: []string{"/app/", "/app/handler.py", "/app/lib/", "/app/models", "/app/x/"}}
	tests := []struct {
		name  string
		other []string
		want  []string
	}{
		{"directories are shared", []string{"/app/", "/app/lib/", "/app/lib/y"}, nil},
		{"a file in both", []string{"/app/handler.py"}, []string{`layers "app" and "weights": path "/app/handler.py" is in both`}},
		{
			"a file or link here, a directory there",
			[]string{"/app/models/", "/app/models/unet"},
			[]string{`layers "app" and "weights": path "/app/models" is a directory in one and not in the other`},
		},
		{
			"a directory that is only implied",
			[]string{"/app/models/unet"},
			[]string{`layers "app" and "weights": path "/app/models" is a directory in one and not in the other`},
		},
		{
			"the other way round",
			[]string{"/app/x"},
			[]string{`layers "app" and "weights": path "/app/x" is a directory in one and not in the other`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := layers.Check(3, []llb.Layer{app, {Name: "weights", Paths: tt.other}}, nil)
			if diff := cmp.Diff(tt.want, messages(err)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLayersCount(t *testing.T) {
	if err := layers.Check(127, nil, nil); err != nil {
		t.Errorf("127 layers: %v", err)
	}
	var count *layers.CountError
	err := layers.Check(128, nil, nil)
	if !errors.As(err, &count) || count.Layers != 128 || err.Error() != "the image has 128 layers, but no more than 127 can be mounted" {
		t.Errorf("128 layers: got %v", err)
	}
	if count != nil && count.Hint() == "" {
		t.Error("there is no hint")
	}
}

func TestFindingsCarryHints(t *testing.T) {
	err := layers.Check(1, []llb.Layer{{Name: "app", Paths: []string{"/lib/x"}}}, nil)
	var p *layers.PathError
	if !errors.As(err, &p) || p.Hint() != "use /usr/lib instead" || p.Layer != "app" {
		t.Errorf("got %+v", p)
	}
	err = layers.Check(2, []llb.Layer{{Name: "a", Paths: []string{"/x"}}, {Name: "b", Paths: []string{"/x"}}}, nil)
	var o *layers.OverlapError
	if !errors.As(err, &o) || !strings.Contains(o.Hint(), "/x") {
		t.Errorf("got %+v", o)
	}
}

func ExampleCheck() {
	all := []llb.Layer{
		{Name: "app", Paths: []string{"/app/", "/app/handler.py", "/tmp/", "/tmp/cache"}},
		{Name: "notes", Paths: []string{"/app/../notes"}},
		{Name: "weights", Paths: []string{"/app/", "/app/handler.py", "/lib/libmodel.so"}},
	}
	fmt.Println(layers.Check(4, all, nil))
	// Output:
	// layer "app": path "/tmp": has the mode 1777 or its own owner in the base, which would be reset
	// layer "notes": path "/app/../notes": is not a clean absolute path
	// layer "weights": path "/lib": is a symlink to /usr/lib in the base, and would be replaced
	// layers "app" and "weights": path "/app/handler.py" is in both
}

func BenchmarkLayers(b *testing.B) {
	var all []llb.Layer
	for i := range 100 {
		l := llb.Layer{Name: fmt.Sprint(i)}
		for j := range 100 {
			l.Paths = append(l.Paths, fmt.Sprintf("/models/m/%d/%d/file", i, j))
		}
		all = append(all, l)
	}
	for b.Loop() {
		if err := layers.Check(4, all, nil); err != nil {
			b.Fatal(err)
		}
	}
}
