package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

// All that an ordinary user's engine lacks is reported at once, with what to set.
func TestUserUnfit(t *testing.T) {
	const enough = "other:100000:65536\nordinary:165536:65536\n"
	for _, tt := range []struct {
		name           string
		subuid, subgid string
		missing        bool
		kernel         map[string]string
		want, hints    []string // of the error
		flags          string   // if there is none
	}{
		{name: "by name", subuid: enough, subgid: enough, flags: "-uids 0 1000 1 1 165536 65536 -gids 0 100 1 1 165536 65536"},
		{name: "by number, in two lines, one of them twice", subuid: "1000:5:5\n1000:5:5\n# x\n\nordinary:200000:65530\nordinary:900000:1\n", subgid: enough, flags: "-uids 0 1000 1 1 5 5 6 200000 65530 -gids"},
		{
			name: "none", subuid: "other:100000:65536\n", subgid: "", want: []string{"give 0 and 0 of them to user ordinary"},
			hints: []string{"echo ordinary:165536:65536 | sudo tee -a /etc/subuid /etc/subgid", "sudo"},
		},
		{name: "a table without numbers", subuid: "ordinary:x:65536\nordinary:1\nordinary:100000:-1\n", subgid: enough, want: []string{"give 0 and 65536 of them"}, hints: []string{"echo ordinary:231072:65536"}},
		{
			name: "all at once", subuid: "ordinary:100000:1000", subgid: enough, missing: true,
			kernel: map[string]string{"user.max_user_namespaces": "0", "kernel.unprivileged_userns_clone": "0", "NoNewPrivs": "1"},
			want:   []string{"give 1000 and 65536", "newuidmap and newgidmap", "user.max_user_namespaces is 0", "kernel.unprivileged_userns_clone is 0", "no_new_privs"},
			hints:  []string{"apt install uidmap", "user.max_user_namespaces=28633", "kernel.unprivileged_userns_clone=1", "allowPrivilegeEscalation: true", "--addr"},
		},
		{name: "AppArmor's restriction shows only on use", subuid: enough, subgid: enough, kernel: map[string]string{"kernel.apparmor_restrict_unprivileged_userns": "1", "user.max_user_namespaces": "100"}, flags: "-uids"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flags, err := engine.UserUnfit(tt.subuid, tt.subgid, tt.missing, tt.kernel)
			if (err == nil) != (tt.want == nil) || err != nil && failure.KindOf(err) != failure.NoEngine {
				t.Fatalf("got error %v", err)
			}
			if !strings.Contains(flags, tt.flags) {
				t.Errorf("got flags %s, want %s", flags, tt.flags)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want %q in it", err, want)
				}
			}
			for _, want := range tt.hints {
				if !strings.Contains(strings.Join(failure.Hints(err), "\n"), want) {
					t.Errorf("got hints %q, want %q in them", failure.Hints(err), want)
				}
			}
		})
	}
	err := engine.UserRefused(errors.New("refused"), map[string]string{"kernel.apparmor_restrict_unprivileged_userns": "1", "Seccomp": "2"})
	for _, want := range []string{"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", "seccomp=unconfined"} {
		if !slices.ContainsFunc(failure.Hints(err), func(h string) bool { return strings.Contains(h, want) }) {
			t.Errorf("got hints %q, want %q in them", failure.Hints(err), want)
		}
	}
}
