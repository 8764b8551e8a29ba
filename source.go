package lamina

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/attest"
	"lamina.build/internal/humanize"
)

// provenanceRun returns what a provenance records of a build that isn't in the image.
func (j job) provenanceRun(engine string) attest.Run {
	r := attest.Run{Smoke: j.Smoke, Engine: engine, Lamina: Version(), Source: j.source()}
	if server, repository := j.env("GITHUB_SERVER_URL"), j.env("GITHUB_REPOSITORY"); j.env("GITHUB_ACTIONS") == "true" && server != "" {
		r.Builder = server + "/" + j.env("GITHUB_WORKFLOW_REF")
		r.Invocation = fmt.Sprintf("%s/%s/actions/runs/%s/attempts/%s", server, repository, j.env("GITHUB_RUN_ID"), j.env("GITHUB_RUN_ATTEMPT"))
	}
	return r
}

// checkedOut returns the commit of the project, and reports that there is none.
func (p *Project) checkedOut(ctx context.Context) attest.Source {
	s, err := commitOf(ctx, p.dir, gitTime)
	if err != nil {
		p.note("the provenance names no commit: %v", err)
	}
	return s
}

// commitAnnotations returns a commit as OCI annotations.
func commitAnnotations(s attest.Source) map[string]string {
	named := map[string]string{}
	if s.URL != "" {
		named[ocispec.AnnotationSource] = s.URL
	}
	if s.Commit != "" {
		named[ocispec.AnnotationRevision] = s.Commit
	}
	return named
}

// gitTime is the timeout of git, which waits for ever where a project has a FIFO as its
// HEAD, its configuration or a .gitignore.
const gitTime = time.Minute

// commitOf returns the commit that is checked out in the directory of a project. What a
// build itself writes there doesn't make it modified.
func commitOf(ctx context.Context, dir string, timeout time.Duration) (s attest.Source, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("git took longer than %s", humanize.Duration(timeout)))
	defer cancel()
	own, err := guard(ctx, dir)
	if err != nil {
		return s, err
	}
	git := func(args ...string) (string, error) { return runGit(ctx, dir, own, args...) }
	if s.Commit, err = git("rev-parse", "--verify", "HEAD"); err != nil {
		return attest.Source{}, err
	}
	changed, err := git("status", "--porcelain", "--ignore-submodules=dirty", "--", ".", ":(exclude)dist")
	if err != nil {
		return attest.Source{}, err
	}
	s.Dirty = changed != ""
	if remote, err := git("config", "--get", "remote.origin.url"); err == nil {
		s.URL = publicRemote(remote)
	}
	return s, nil
}

// runGit runs git in a directory that may be untrusted, its .git included: git runs nothing
// that this configures, and fetches nothing.
func runGit(ctx context.Context, dir string, config []string, args ...string) (string, error) {
	args = append([]string{"-C", dir, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks"}, args...)
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the directory is an operand of -C
	cmd.Env = append(cmd.Environ(), append([]string{"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1"}, config...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		first, _, _ := strings.Cut(strings.TrimSpace(string(failed.Stderr)), "\n")
		err = fmt.Errorf("git: %q", first)
	}
	return strings.TrimSpace(string(out)), err
}

// guard returns the environment in which git runs none of the repository's own filters,
// which "git status" applies to files. Filters of the user's configuration stay.
func guard(ctx context.Context, dir string) (env []string, err error) {
	text, err := runGit(ctx, dir, nil, "config", "--list", "--show-scope", "--name-only", "-z", "--includes")
	if err != nil {
		return nil, err
	}
	fields, n := strings.Split(text, "\x00"), 0
	for i := 0; i+1 < len(fields); i += 2 {
		scope, key := fields[i], fields[i+1]
		if (scope != "local" && scope != "worktree") || !strings.HasPrefix(key, "filter.") {
			continue
		}
		value := ""
		if strings.HasSuffix(key, ".required") {
			value = "false"
		}
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, value))
		n++
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n)), nil
}

// publicRemote returns the address of a remote without its login; "" for a local path.
func publicRemote(remote string) string {
	if host, path, ok := strings.Cut(remote, ":"); ok && !strings.Contains(remote, "://") && !strings.Contains(host, "/") {
		remote = "ssh://" + host + "/" + strings.TrimPrefix(path, "/") // scp's syntax
	}
	u, err := url.Parse(remote)
	if err != nil || u.Hostname() == "" || u.Scheme == "file" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
