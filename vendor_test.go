package lamina

import (
	"slices"
	"testing"

	"lamina.build/internal/vendorstore"
	"lamina.build/llb"
	"lamina.build/lock"
)

// Submodules are vendored from hosts that the project names: those of its trees, and those of
// the addresses in its requirements and constraints.
func TestHostsOfSubmodules(t *testing.T) {
	j := job{whole: lock.Lock{Requirements: lock.Requirements{Python: []lock.PythonRequest{
		{Lines: []string{"--index-url https://index.example/simple", "inner @ git+https://Other.example:8443/inner.git"}},
	}}}}
	named := j.gitHosts([]vendorable{{remote: "https://git.example/a/b.git"}, {Source: vendorstore.Source{Name: "a.whl"}, addresses: []string{"https://files.example/a.whl"}}})
	for remote, allowed := range map[string]bool{
		"https://git.example/c.git": true, "https://GIT.example/c.git": true, "https://index.example/c.git": true, "https://other.example:8443/x": true,
		"http://git.example/c.git": false, "https://other.example/x": false, "https://files.example/x": false, "https://169.254.169.254/x": false,
		"git@git.example:c.git": false, "ssh://git@git.example/c.git": false, "file:///etc": false, "/srv/c.git": false, "": false,
	} {
		err := checkHost(llb.Submodule{Path: "sub", Remote: remote}, named)
		if (err == nil) != allowed || !allowed && (KindOf(err) != Usage || !slices.Contains(Hints(err), "if that host may be asked, name the repository in a [[git]] block, or in a constraint: NAME @ git+https://…")) {
			t.Errorf("%s: %v", remote, err)
		}
	}
}
