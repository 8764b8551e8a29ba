package python

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/requirements"
	"lamina.build/lock"
)

func TestPipGetsNoLoginThatItDoesNotNeed(t *testing.T) {
	o := Options{
		Index: "https://pypi.example/simple",
		Logins: Logins{
			"torch.example": {User: "a"}, "files.example": {User: "b"}, "git.example": {User: "c"},
			"bank.example": {User: "d"}, "extra.example": {User: "e"}, "links.example": {User: "f"},
		},
		Requests: []Request{{
			Indexes: []Index{{URL: "https://torch.example/whl"}},
			Files: requirements.Set{
				ExtraIndexURLs: []string{"https://extra.example:8443/simple"}, FindLinks: []string{"https://links.example/x", "wheels"},
				Requirements: []requirements.Requirement{{URL: "https://files.example/x.whl"}, {URL: "https://git.example/r.git"}},
			},
		}},
	}
	var got []string
	for host := range o.Logins.Only(o.hosts()) {
		got = append(got, host)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"extra.example", "files.example", "git.example", "links.example", "torch.example"}, got); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}
}

func TestHostsOfALock(t *testing.T) {
	got := Hosts([]lock.Distribution{{URL: "https://f.example:1/x.whl"}, {URL: "git+https://g.example/r@c"}, {URL: "file:wheels/x.whl"}})
	if diff := cmp.Diff([]string{"f.example:1", "g.example", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
