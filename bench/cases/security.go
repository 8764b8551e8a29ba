package cases

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"lamina.build/internal/test/testworld"
)

func security() []aCase {
	return []aCase{
		{"security/ccache-poison", "the victim's value is 1111", (*call).ccachePoison},
		{"security/ingest-symlink", "refused, or the files stay", (*call).ingestSymlink},
		{"security/netrc-second-try", "no login is sent or shown", (*call).netrcSecondTry},
		{"security/published-lie", "exit 3 and no image", (*call).publishedLie},
	}
}

// index serves the packages that the case's scripts make, and lets uv use it first.
func (c *call) index() {
	port := c.freePort()
	c.serve("127.0.0.1:"+port, "python3", "idx.py", "idx", port)
	c.env = append(c.env, fmt.Sprintf("PIP_EXTRA_INDEX_URL=http://127.0.0.1:%s/simple", port))
}

func (c *call) ccachePoison() []row {
	c.must("python3", "mk5.py")
	c.index()
	for _, project := range []string{"pce", "pcv"} {
		dir := filepath.Join(c.dir, project)
		c.lock(dir)
		o := c.build(dir, "--progress", "plain")
		if project == "pcv" {
			return []row{{seen: fmt.Sprintf("%s, %s", o, found(`VALUE \d+`, o.stderr)), ok: o.code == 0 && strings.Contains(o.stderr, "VALUE 1111")}}
		}
		if o.code != 0 {
			c.Fatalf("building %s: %s", project, o)
		}
	}
	return nil
}

// found returns an expression's first match.
func found(expression, text string) string { return regexp.MustCompile(expression).FindString(text) }

func (c *call) ingestSymlink() []row {
	temp := c.TempDir()
	o := c.command(c.dir, []string{"TMPDIR=" + temp, "BUILDKIT_HOST=" + c.engine.Addr}, "sh", "run.sh", c.program, c.faceblend())
	kept, _ := filepath.Glob(filepath.Join(temp, "*", "victim", "Documents", "thesis"))
	seen := "the files are gone"
	if len(kept) > 0 {
		seen = "the files are there"
	}
	return []row{{seen: fmt.Sprintf("%s; %s", seen, o), ok: len(kept) > 0}}
}

func (c *call) netrcSecondTry() []row {
	c.must("python3", "mk2.py")
	c.index()
	sent := c.serve("127.0.0.1:8998", "python3", "exfil.py", "8998") // the port that mk2.py has
	if err := os.Rename(filepath.Join(c.dir, "netrc"), filepath.Join(c.dir, ".netrc")); err != nil {
		c.Fatal(err)
	}
	c.env = append(c.env, "HOME="+c.dir)
	o := c.build(filepath.Join(c.dir, "pj2"), "lock")
	all := sent() + o.stdout + o.stderr
	secret := found("GITHUB-TOKEN-SECRET|BANK\\b|idxpass", all)
	seen := "none"
	if secret != "" {
		seen = secret
	}
	return []row{{seen: seen + "; " + o.String(), ok: secret == "" && strings.TrimSpace(sent()) == ""}}
}

// publishedLie uses a lock with forged published weights: in the repository that the spec
// names, in another, and with none in the spec.
func (c *call) publishedLie() (rows []row) {
	c.hub()
	registry := testworld.NewRegistry(c, testworld.RegistryOptions{}).Host
	project := filepath.Join(c.dir, "project")
	spec := filepath.Join(project, "image.toml")
	original, err := os.ReadFile(spec) //nolint:gosec // of the case's copy
	if err != nil {
		c.Fatal(err)
	}
	const place = `path="/models/bench"`
	said := func(repository string) string { return fmt.Sprintf("%s\npublished=%q", place, registry+"/"+repository) }
	for _, kind := range []struct{ what, spec string }{
		{"spec names it", said("acme/weights")}, {"spec names another", said("acme/other")}, {"spec names none", place},
	} {
		write := func(text string) {
			if err := os.WriteFile(spec, bytes.ReplaceAll(original, []byte(place), []byte(text)), 0o600); err != nil { //nolint:gosec // as above
				c.Fatal(err)
			}
		}
		write(said("acme/weights"))
		c.lock(project)
		c.mustBuild(c.dir, "model", "push", "--spec", project, registry+"/acme/weights:1")
		c.must("python3", "evilimg.py", registry, project)
		write(kind.spec)
		o := c.build(project)
		rows = append(rows, row{what: kind.what, seen: o.String(), ok: o.code == 3 && !hasImage(project)})
	}
	return rows
}

// hasImage reports whether a build has left an image in the usual directory.
func hasImage(dir string) bool {
	lists, _ := filepath.Glob(filepath.Join(dir, "dist", "*", "index.json"))
	return len(lists) > 0
}
