package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// oddNames are fine on Linux, but must be escaped in an address.
func oddNames() []string {
	return []string{
		"a file.txt", "100%.txt", "a?b#c", "plus+and&", `back\slash`, "ünïcode/日本語.bin", "A.txt", "a.txt", "semi;colon,comma", "%2e%2e/x", "a:b", "[x]", "~/$HOME",
	}
}

func TestTreeOfManyPages(t *testing.T) {
	t.Parallel()
	files := map[string]testworld.HubFile{}
	for i := range 50 {
		files[fmt.Sprintf("dir/%02d/f", i)] = testworld.Small(fmt.Sprint(i))
	}
	for _, name := range oddNames() {
		files[name] = testworld.Small("odd: " + name)
	}
	large := testworld.Generated(7, 5<<20)
	files["large.safetensors"] = testworld.Large(large)
	for _, size := range []int{1, 7, 1000} {
		h := testworld.New(t).Hub(testworld.HubOptions{PageSize: size})
		commit := h.Repo(repository, testworld.HubRepoOptions{}).Commit(files)
		tree, err := client(t, hub.Options{Endpoint: h.Endpoint}).Tree(t.Context(), repository, commit)
		if err != nil {
			t.Fatal(err)
		}
		if len(tree) != len(files) {
			t.Fatalf("pages of %d: got %d files, want %d", size, len(tree), len(files))
		}
		for i, f := range tree {
			if i > 0 && tree[i-1].Path >= f.Path {
				t.Errorf("%q comes after %q", f.Path, tree[i-1].Path)
			}
			if f.Size != files[f.Path].Size() || (f.SHA256 == "") == (f.GitOID == "") {
				t.Errorf("got %+v", f)
			}
			if want := (hub.File{ModelFile: lock.ModelFile{Path: f.Path, URL: f.URL, Size: 5 << 20, SHA256: testworld.SHA256(large)}}); files[f.Path].LFS && f != want {
				t.Error(cmp.Diff(want, f))
			}
		}
	}
}

func TestAddressesOfOddNames(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{true, false} {
		files := map[string]testworld.HubFile{}
		for _, name := range oddNames() {
			files[name] = testworld.Small("odd: " + name)
			files["large/"+name] = testworld.Large(testworld.Text("large and odd: " + name))
		}
		_, c, tree := setup(t, testworld.HubOptions{Direct: direct}, files)
		for name, f := range files {
			want := part(t, f, 0, f.Size())
			if got, err := readOnce(t, c, tree[name], 0, f.Size()); got != want {
				t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
			}
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	c := client(t, hub.Options{})
	got := hub.FileURL(c, "Org/Name", "abc", "a b/100%+ü?#.bin")
	if want := "https://huggingface.co/Org/Name/resolve/abc/a%20b/100%25%2B%C3%BC%3F%23.bin"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnEmptyTree(t *testing.T) {
	t.Parallel()
	_, _, tree := setup(t, testworld.HubOptions{}, nil)
	if len(tree) != 0 {
		t.Errorf("got %v", tree)
	}
}

func TestPathsThatNoImageCanHold(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"../x", "a/../x", "/etc/passwd", "", ".", "a//b", "a/", "a/./b", "nul\x00", "bell\a", "a/.wh.b", ".wh..wh..opq", ".wh.x/y",
		strings.Repeat("x", 256), strings.Repeat("x/", 2500) + "x",
	} {
		_, err := treeOf(t, `[{"type":"file","path":"fine","size":1,"oid":"`+oid+`"},{"type":"file","path":`+quote(t, name)+`,"size":1,"oid":"`+oid+`"}]`)
		var problem *hub.PathError
		if !errors.As(err, &problem) || problem.Path != name || !strings.Contains(err.Error(), `listing repository "Org/Model-1.0": path "`) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

const oid = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

func quote(t *testing.T, s string) string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func treeOf(t *testing.T, page string) ([]hub.File, error) {
	t.Helper()
	return client(t, hub.Options{HTTP: fetch.Options{Transport: answer(200, page, nil)}}).Tree(t.Context(), repository, strings.Repeat("1", 40))
}

func TestAllProblemsOfATreeAreReported(t *testing.T) {
	t.Parallel()
	var page []string
	for _, name := range []string{"b", "b", "a", "a/x/y", "../c"} {
		page = append(page, fmt.Sprintf(`{"type":"file","path":%q,"size":1,"oid":%q}`, name, oid))
	}
	_, err := treeOf(t, "["+strings.Join(page, ",")+"]")
	want := `listing repository "Org/Model-1.0": path "../c": not a clean path below its directory
path "a/x/y": lies below the file "a"
path "b": is listed twice`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhatIsNoTree(t *testing.T) {
	t.Parallel()
	for _, page := range []string{
		"<html>", `{}`,
		`[{"type":"file","path":"a","size":-1,"oid":"` + oid + `"}]`,
		`[{"type":"file","path":"a","size":1,"oid":"xyz"}]`,
		`[{"type":"file","path":"a","size":1,"oid":"` + oid + `","lfs":{"oid":"abc","size":1}}]`,
	} {
		if files, err := treeOf(t, page); err == nil {
			t.Errorf("%s: got %v", page, files)
		}
	}
	if _, err := client(t, hub.Options{}).Tree(t.Context(), repository, "main"); err == nil {
		t.Error("a branch is not a commit")
	}
}

func TestATreeOfDirectoriesAndOthers(t *testing.T) {
	t.Parallel()
	files, err := treeOf(t, `[{"type":"directory","path":"d","oid":"x"},{"type":"submodule","path":"../s"},{"type":"file","path":"x","size":3,"oid":"`+oid+`","xetHash":"abc"}]`)
	if err != nil || len(files) != 1 || files[0].GitOID != "" || files[0].SHA256 != "" || files[0].Size != 3 {
		t.Errorf("got %+v, %v", files, err)
	}
}

func TestPagesWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{
		"the same page": "%s", "another host": "http://127.0.0.2:1/?cursor=%s", "another scheme": "https://%s", "no address": "http://[%s",
	} {
		var n int
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			n++
			rw.Header().Set("Link", fmt.Sprintf("<"+next+`>; rel="next"`, r.URL))
			fmt.Fprint(rw, "[]")
		}))
		defer s.Close()
		_, err := client(t, hub.Options{Endpoint: s.URL, Token: token}).Tree(t.Context(), repository, strings.Repeat("1", 40))
		var odd *hub.AnswerError
		if !errors.As(err, &odd) || n > 2 {
			t.Errorf("%s: got %v after %d requests", name, err, n)
		}
		if strings.Contains(fmt.Sprint(err), token) || failure.KindOf(err) != failure.Failure {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
