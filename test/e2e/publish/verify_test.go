package publish

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamina.build"

	"lamina.build/internal/test/e2etest"
)

// An image equals what its lock and a checkout give, or the command prints the
// differences: a file of the app in another checkout, and a field of the config.
//
// It runs every step of a base again, twice, so it isn't part of the usual run.
func TestRealVerify(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "verify" {
		t.Skip("it builds a base from nothing, twice: LAMINA_REAL=verify runs it")
	}
	u, dir := e2etest.NewUser(t), filepath.Join(t.TempDir(), "small")
	for name, text := range map[string]string{
		"image.toml": "name = \"faceblend\"\n[debian]\npackages = []\n[app]\nsource = \"app\"\npath = \"/app\"\nentrypoint = [\"/app/run\"]\n",
		"app/run":    "#!/bin/sh\necho first\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, path, []byte(text))
	}
	private, public := cosignKey(t, "")
	_, other := cosignKey(t, "")
	u.Build(t, dir, "--attach", "lock", "--sign", private)
	want := u.Digest(t)
	left := filepath.Join(u.Cache, "lamina", "verify")
	if err := os.MkdirAll(filepath.Join(left, "image", "of", "a", "killed", "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	u.Fails(t, 3, []string{"no signature by the required signer"}, "verify", "--key", other, "dist/faceblend", dir)
	if r := u.Run(t, "verify", "--key", public, "--sign", private, "dist/faceblend", dir); r.Code != 0 || !strings.Contains(r.Stdout, "the same, rebuilt") || !strings.Contains(r.Stdout, want.String()) {
		t.Errorf("exit code %d, it prints\n%s\n%s", r.Code, r.Stdout, e2etest.Tail(r.Stderr))
	}
	stated := func() int {
		return strings.Count(u.Build(t, "inspect", "--key", public, "dist/faceblend").Stdout, "https://slsa.dev/verification_summary/v1  signed")
	}
	if n := stated(); n != 1 {
		t.Errorf("%d signed statements say that it is the same", n)
	}
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s is left", left)
	}
	e2etest.Edit(t, filepath.Join(dir, "app", "run"), "first", "farst")
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "[app]\n", "[app]\ncommand = [\"now\"]\n")
	statement := filepath.Join(t.TempDir(), "statement.json")
	r := u.Run(t, "verify", "--json", "--sign", private, "--statement", statement, "dist/faceblend", dir)
	if _, err := os.Stat(statement); err == nil || stated() != 1 {
		t.Error("a statement says that it is the same, but it is not")
	}
	var v lamina.Verified
	if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil || r.Code != 3 || v.Equal() {
		t.Fatalf("exit code %d, %v: %s\n%s", r.Code, err, r.Stdout, e2etest.Tail(r.Stderr))
	}
	var got []string
	for _, d := range v.Differences {
		got = append(got, d.String())
	}
	for _, part := range []string{": /app/run: content, from byte 16 on", `config.Cmd: nothing in the one, ["now"] in the other`} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, part) }) {
			t.Errorf("it does not print %q: %q", part, got)
		}
	}
	if len(got) != 2 || len(v.Trees) != 1 {
		t.Errorf("it names the differences %q and the trees %q", got, v.Trees)
	}
	if _, err := os.Stat(filepath.Join(dir, "image.lock")); err != nil {
		t.Error(err)
	}
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "packages = []", "packages = [\"hello\"]")
	u.Fails(t, 3, []string{"hello"}, "verify", "dist/faceblend", dir)
}
