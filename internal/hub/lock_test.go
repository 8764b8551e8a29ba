package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
)

func TestLockFetchesSmallFilesAlone(t *testing.T) {
	t.Parallel()
	contents := map[string]testworld.HubFile{
		"huge.safetensors": testworld.Large(testworld.Generated(8, 64<<20)),
		"in-git.bin":       {Content: testworld.Generated(9, 3<<20)}, // large, but not in LFS
		"empty":            testworld.Small(""),
	}
	for i := range 30 {
		contents[fmt.Sprintf("config/%d.json", i)] = testworld.Small(fmt.Sprint("text ", i))
	}
	h, c, tree := setup(t, testworld.HubOptions{}, contents)
	h.Fail("/hub/api/resolve-cache/**", testworld.Cut(5))
	var files []hub.File
	for _, f := range tree {
		files = append(files, f)
	}
	locked, err := c.Lock(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range locked {
		if want := testworld.SHA256(contents[f.Path].Content); f.SHA256 != want || f.Path != files[i].Path || f.Size != files[i].Size {
			t.Errorf("%q: got %s, want %s", f.Path, f.SHA256, want)
		}
		if files[i] != tree[f.Path] {
			t.Error("the argument was changed")
		}
	}
	if n := h.CDN.Requests("/**"); n != 0 {
		t.Errorf("%d requests for large files", n)
	}
	if n := h.Sent("/**"); n > 6<<20 {
		t.Errorf("%d bytes were sent", n)
	}
}

func TestLockTakesNoOtherBytes(t *testing.T) {
	t.Parallel()
	h, c, files := setup(t, testworld.HubOptions{Direct: true}, map[string]testworld.HubFile{"f": testworld.Small("0123456789")})
	h.Fail("/hub/Org/**", testworld.Wrong(testworld.Always))
	_, err := c.Lock(t.Context(), []hub.File{files["f"]})
	var mismatch *fetch.MismatchError
	if !errors.As(err, &mismatch) || mismatch.What != "git hash" || mismatch.Want != files["f"].GitOID || len(failure.Hints(err)) != 1 {
		t.Errorf("got %v", err)
	}
	unnamed := files["f"]
	unnamed.GitOID = ""
	h.Heal()
	if locked, err := c.Lock(t.Context(), []hub.File{unnamed}); err != nil || locked[0].SHA256 != testworld.SHA256(testworld.Text("0123456789")) {
		t.Errorf("got %v, %v", locked, err)
	}
}

func TestLockOfAGatedRepository(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{Token: token})
	commit := h.Repo(repository, testworld.HubRepoOptions{Gated: true}).Commit(map[string]testworld.HubFile{"a": testworld.Small("1"), "b": testworld.Small("2")})
	c := client(t, hub.Options{Endpoint: h.Endpoint})
	files, err := c.Tree(t.Context(), repository, commit) // public
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Lock(t.Context(), files)
	checkRefused(t, err, hub.Gated, failure.Usage, "is gated", "accept the terms")
	if strings.Count(err.Error(), "gated") != 1 {
		t.Errorf("repeated: %v", err)
	}
}
