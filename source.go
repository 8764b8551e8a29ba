package lamina

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"runtime/debug"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/attest"
)

// provenanceRun is what a provenance says of a build that the image does not show.
func (j job) provenanceRun(ctx context.Context, engine string) attest.Run {
	r := attest.Run{Smoke: j.Smoke, Engine: engine, Lamina: ownVersion()}
	var err error
	if r.Source, err = commitOf(ctx, j.dir); err != nil {
		j.note("the provenance names no commit: %v", err)
	}
	if server, repository := j.env("GITHUB_SERVER_URL"), j.env("GITHUB_REPOSITORY"); j.env("GITHUB_ACTIONS") == "true" && server != "" {
		r.Builder = server + "/" + j.env("GITHUB_WORKFLOW_REF")
		r.Invocation = fmt.Sprintf("%s/%s/actions/runs/%s/attempts/%s", server, repository, j.env("GITHUB_RUN_ID"), j.env("GITHUB_RUN_ATTEMPT"))
	}
	return r
}

// commitAnnotations name a commit as OCI does.
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

// commitOf is the commit that the directory of a project is a checkout of. What a build itself
// writes there makes it no other.
func commitOf(ctx context.Context, dir string) (s attest.Source, err error) {
	git := func(args ...string) (string, error) {
		// Whose hooks and monitors these are, nobody has said.
		args = append([]string{"-C", dir, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks"}, args...)
		out, problem := exec.CommandContext(ctx, "git", args...).Output() //nolint:gosec // the directory is an operand of -C
		if failed, ok := errors.AsType[*exec.ExitError](problem); ok {
			first, _, _ := strings.Cut(strings.TrimSpace(string(failed.Stderr)), "\n")
			problem = fmt.Errorf("git: %q", first)
		}
		return strings.TrimSpace(string(out)), problem
	}
	if s.Commit, err = git("rev-parse", "--verify", "HEAD"); err != nil {
		return attest.Source{}, err
	}
	changed, err := git("status", "--porcelain", "--", ".", ":(exclude)dist")
	if err != nil {
		return attest.Source{}, err
	}
	s.Dirty = changed != ""
	if remote, err := git("config", "--get", "remote.origin.url"); err == nil {
		s.URL = publicRemote(remote)
	}
	return s, nil
}

// publicRemote is the address of a remote without a login; "" for a path of this machine.
func publicRemote(remote string) string {
	if host, path, ok := strings.Cut(remote, ":"); ok && !strings.Contains(remote, "://") && !strings.Contains(host, "/") {
		remote = "ssh://" + host + "/" + strings.TrimPrefix(path, "/") // as scp has it
	}
	u, err := url.Parse(remote)
	if err != nil || u.Hostname() == "" || u.Scheme == "file" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// ownVersion is that of this module in the program that runs, or its commit.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == "lamina.build" {
			return d.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (info.Main.Version == "" || info.Main.Version == "(devel)") {
			return s.Value
		}
	}
	return info.Main.Version
}
