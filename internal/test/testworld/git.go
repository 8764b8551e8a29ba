package testworld

import (
	"fmt"
	"log"
	"net/http/cgi" //nolint:gosec // CVE-2016-5386 is fixed since Go 1.6.3
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Git is a repository published over smart HTTP.
type Git struct {
	URL    string
	Commit string // the newest one of main
	Dir    string // the bare repository

	world   *World
	tree    string
	commits int
}

// Git publishes a repository with one commit on the branch main. Without the git program, which
// makes it, the test fails.
func (w *World) Git(name string, files map[string]string) *Git {
	w.t.Helper()
	root := w.t.TempDir()
	g := &Git{
		URL: w.URL + "/git/" + name + ".git", Dir: filepath.Join(root, "git", name+".git"),
		world: w, tree: filepath.Join(root, "tree"),
	}
	g.run(nil, "init", "--quiet", "--bare", "--initial-branch=main", g.Dir)
	g.Run("config", "uploadpack.allowAnySHA1InWant", "true")
	g.Run("config", "uploadpack.allowFilter", "true")
	w.handle("git/"+name+".git", g.handler(filepath.Join(root, "git")))
	g.Push(files)
	return g
}

// Push adds and replaces files, and returns their commit.
func (g *Git) Push(files map[string]string) string {
	g.world.t.Helper()
	for name, content := range files {
		g.write(filepath.Join(g.tree, name), content)
	}
	g.commits++
	g.Run("add", "--all")
	g.Run("commit", "--quiet", "--allow-empty", fmt.Sprintf("--message=commit %d", g.commits))
	g.Commit = g.Run("rev-parse", "HEAD")
	return g.Commit
}

// Symlink adds a link to the next commit.
func (g *Git) Symlink(name, target string) {
	g.world.t.Helper()
	at := filepath.Join(g.tree, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // modes are part of a commit
		g.world.t.Fatal(err)
	}
	if err := os.Symlink(target, at); err != nil {
		g.world.t.Fatal(err)
	}
}

// Submodule adds another repository's newest commit as a submodule, and commits that.
func (g *Git) Submodule(name string, other *Git) {
	g.world.t.Helper()
	g.write(filepath.Join(g.tree, ".gitmodules"), fmt.Sprintf("[submodule %q]\n\tpath = %s\n\turl = %s\n", name, name, other.URL))
	g.Run("add", ".gitmodules")
	g.Run("update-index", "--add", "--cacheinfo", "160000,"+other.Commit+","+name)
	g.commits++
	g.Run("commit", "--quiet", "--message=submodule")
	g.Commit = g.Run("rev-parse", "HEAD")
}

func (g *Git) write(name, content string) {
	g.world.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // modes are part of a commit
		g.world.t.Fatal(err)
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		g.world.t.Fatal(err)
	}
}

// Run runs git in the repository and returns its output: Run("tag", "v1") makes a tag.
func (g *Git) Run(args ...string) string {
	g.world.t.Helper()
	return g.run([]string{"GIT_DIR=" + g.Dir, "GIT_WORK_TREE=" + g.tree}, args...)
}

func (g *Git) run(environment []string, args ...string) string {
	t := g.world.t
	t.Helper()
	if err := os.MkdirAll(g.tree, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "git", args...) //nolint:gosec // a test says what
	cmd.Dir = g.tree
	cmd.Env = append(g.environment(), environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// environment makes commits the same everywhere, a minute apart.
func (g *Git) environment() []string {
	date := fmt.Sprintf("@%d +0000", zipStart().Unix()+int64(60*g.commits))
	return []string{
		"PATH=" + searchPath(), "HOME=" + g.tree, "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Nobody", "GIT_AUTHOR_EMAIL=nobody@git.example", "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=Nobody", "GIT_COMMITTER_EMAIL=nobody@git.example", "GIT_COMMITTER_DATE=" + date,
	}
}

func searchPath() string { return os.Getenv("PATH") } //nolint:forbidigo // where git is on this machine

// handler serves with git's own program.
func (g *Git) handler(root string) *cgi.Handler {
	g.world.t.Helper()
	program := filepath.Join(g.Run("--exec-path"), "git-http-backend")
	if _, err := os.Stat(program); err != nil {
		g.world.t.Fatal(err)
	}
	return &cgi.Handler{
		Path: program, Root: "/git", Dir: root,
		Env:    append(g.environment(), "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1"),
		Stderr: g.world.t.Output(), Logger: log.New(g.world.t.Output(), "", 0),
	}
}
