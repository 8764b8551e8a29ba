package testworld_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"lamina.build/internal/test/testworld"
)

func TestDuringLeavesNothing(t *testing.T) {
	t.Parallel()
	want := errors.New("told")
	var dir, address string
	var order []string
	err := testworld.During(t.Context(), t.TempDir(), func(tb testing.TB) error {
		w := testworld.New(tb)
		w.Put("f", []byte("one"))
		g := w.Git("app", map[string]string{"f": "one"})
		dir, address = g.Dir, w.URL+"/f"
		if resp, text, err := askHub(t, http.MethodGet, address); err != nil || text != "one" {
			t.Errorf("got %s, %q, %v", resp.Status, text, err)
		}
		tb.Cleanup(func() { order = append(order, "first") })
		tb.Cleanup(func() { order = append(order, "second") })
		return want
	})
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if _, _, err := askHub(t, http.MethodGet, address); err == nil {
		t.Error("the server still answers")
	}
	if got := strings.Join(order, " "); got != "second first" {
		t.Errorf("cleaned up %s", got)
	}
}

func TestDuringReturnsWhatFails(t *testing.T) {
	t.Parallel()
	var dir string
	var ctx context.Context
	for want, fail := range map[string]func(tb testing.TB){
		"no such thing":  func(tb testing.TB) { tb.Fatal("no such", "thing") },
		"3 is too much":  func(tb testing.TB) { tb.Fatalf("%d is too much", 3) },
		"git init: exit": func(tb testing.TB) { testworld.New(tb).Git("a\x00b", nil) },
	} {
		err := testworld.During(t.Context(), t.TempDir(), func(tb testing.TB) error {
			dir, ctx = tb.TempDir(), tb.Context()
			fail(tb)
			t.Error("went on after what failed")
			return nil
		})
		if want == "git init: exit" {
			want = "invalid argument" // a name that no program takes
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || ctx.Err() == nil {
			t.Errorf("after %q: %v, %v", want, err, ctx.Err())
		}
	}
}

func TestDuringLetsPanicsThrough(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := recover(); got != "a fault of ours" {
			t.Errorf("recovered %v", got)
		}
	}()
	_ = testworld.During(t.Context(), t.TempDir(), func(testing.TB) error { panic("a fault of ours") })
}

func TestHubCommitsHaveGivenIDs(t *testing.T) {
	t.Parallel()
	const id = "cb93a225fbaf1ca100f54e79da8f994995b689b3"
	h := testworld.New(t).Hub(testworld.HubOptions{Direct: true})
	r := h.Repo("Org/Model", testworld.HubRepoOptions{})
	if got := r.CommitAs(id, map[string]testworld.HubFile{"f": testworld.Small("text")}); got != id {
		t.Errorf("committed %s", got)
	}
	resp, text, err := askHub(t, http.MethodGet, h.Endpoint+"/Org/Model/resolve/"+id+"/f")
	if err != nil || text != "text" || resp.Header.Get("X-Repo-Commit") != id {
		t.Errorf("got %s, %q, %v", resp.Status, text, err)
	}
}
