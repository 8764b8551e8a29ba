package lock_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"
)

// Materials have the addresses and digests of what was read to decide.
func TestMaterials(t *testing.T) {
	l := sample()
	l.Releases = append(l.Releases, lock.Release{Repository: "cuda", Suite: "./", SHA256: hash("cuda")})
	l.Distributions = []lock.Distribution{
		{Name: "a", URL: "https://files.example/a.whl", Metadata: hash("a")}, {Name: "b", URL: "file:b.whl", Metadata: hash("b")}, {Name: "c", URL: "https://files.example/c.tar.gz"},
	}
	l.Pages = append(l.Pages, lock.Page{Index: "https://links.example/l?x=1", Size: 3, SHA256: hash("links")})
	l.Models = []lock.Model{{ModelRequest: lock.ModelRequest{From: "https://weights.example/SUMS"}, List: "sha256:" + hash("sums")}, {}}
	want := []lock.Material{
		{URL: "https://deb.example/debian/dists/bookworm/InRelease", SHA256: hash("in")},
		{URL: "https://deb.example/security/dists/bookworm-security/InRelease", SHA256: hash("sec")},
		{URL: "https://cuda.example/debian12/InRelease", SHA256: hash("cuda")},
		{URL: "https://deb.example/debian/dists/bookworm/main/binary-amd64/Packages.xz", Size: 9, SHA256: hash("list")},
		{URL: "https://index.example/simple/torch/", Size: 8, SHA256: hash("page")},
		{URL: "https://links.example/l?x=1", Size: 3, SHA256: hash("links")},
		{URL: "https://files.example/a.whl.metadata", SHA256: hash("a")},
		{URL: "https://weights.example/SUMS", SHA256: hash("sums")},
	}
	got := l.Materials(map[string]string{"debian": "https://deb.example/debian/", "debian-security": "https://deb.example/security"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
