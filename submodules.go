package lamina

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/solve"
	"lamina.build/internal/vendorstore"
	"lamina.build/llb"
	"lamina.build/stages"
)

// findSubmodules notes the submodules of the vendored git trees of an image, and theirs. They
// are named by the trees themselves, which an engine has verified, not by the store. It refuses
// those of other trees that are on hosts which nothing of the project names: an engine would
// fetch them with their tree, and asks no policy for them.
func (j job) findSubmodules(ctx context.Context, e *engine.Engine, in stages.Input) error {
	trees := slices.Clone(in.Trees)
	for _, d := range j.lock.Distributions {
		if remote, commit, _, ok := d.Git(); ok {
			trees = append(trees, llb.Tree{Remote: remote, Commit: commit})
		}
	}
	sources, err := j.vendorable()
	if err != nil {
		return err
	}
	named, online := j.gitHosts(sources), j
	online.submodules = map[string][]llb.Submodule{} // which the engine puts into their trees
	for _, tree := range trees {
		switch {
		case j.vendored[tree.Commit] != "":
			err = j.walkSubmodules(ctx, e, tree.Remote, tree.Commit, j.useSubmodule)
		case !j.o.Offline:
			err = online.walkSubmodules(ctx, e, tree.Remote, tree.Commit, func(_ context.Context, m llb.Submodule) error { return checkHost(m, named) })
		}
		if err != nil {
			return fmt.Errorf("looking for the submodules of %s: %w", tree.Name(), err)
		}
	}
	return nil
}

// useSubmodule has a build use a vendored submodule.
func (j job) useSubmodule(ctx context.Context, m llb.Submodule) error {
	found, _, err := j.vendor.Find(ctx, []vendorstore.Source{{Commit: m.Commit}})
	if err != nil {
		return err
	}
	if j.vendored[m.Commit] = found[m.Commit]; found[m.Commit] == "" {
		err = failure.New(failure.Findings, fmt.Errorf("its submodule %q is missing in %s", m.Path, j.vendor.Name()))
		return failure.WithHint(err, fmt.Sprintf("run \"build vendor %s\" to fetch it", j.o.Mirror))
	}
	return nil
}

// walkSubmodules notes the submodules of a git tree, after use has seen each, and theirs.
func (j job) walkSubmodules(ctx context.Context, e *engine.Engine, remote, commit string, use func(context.Context, llb.Submodule) error) error {
	if _, known := j.submodules[commit]; known {
		return nil
	}
	list, err := j.submodulesOf(ctx, e, remote, commit)
	if err != nil {
		return err
	}
	j.submodules[commit] = list
	for _, m := range list {
		if err = use(ctx, m); err == nil {
			err = j.walkSubmodules(ctx, e, m.Remote, m.Commit, use)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// submodulesOf returns the submodules of a git tree. Address and commit determine them, so an
// engine reads them only once.
func (j job) submodulesOf(ctx context.Context, e *engine.Engine, remote, commit string) (list []llb.Submodule, err error) {
	file := filepath.Join(j.cacheDir, "submodules", digest.FromString(remote+" "+commit).Encoded()+".json")
	data, err := os.ReadFile(file) //nolint:gosec // of the cache directory
	if err == nil && json.Unmarshal(data, &list) == nil {
		return list, nil
	}
	if list, err = j.readSubmodules(ctx, e, remote, commit); err != nil {
		return nil, err
	}
	if data, err = json.Marshal(list); err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = atomicfile.Write(file, data, 0o600)
	}
	return list, err
}

// readSubmodules has an engine read the submodules of a git tree.
func (j job) readSubmodules(ctx context.Context, e *engine.Engine, remote, commit string) ([]llb.Submodule, error) {
	tree := llb.GitFiles(remote, commit)
	read := func(name string) ([]byte, error) {
		var data bytes.Buffer
		request := solve.ReadRequest{
			State: tree, Names: []string{name}, Platform: j.platform(), Store: j.store, Sources: j.from(tree),
			Session: []session.Attachable{j.secrets()}, Progress: j.watch(j.work()),
		}
		err := solve.Copy(ctx, e.Client(), request, &data)
		return data.Bytes(), e.Explain(ctx, err)
	}
	index, err := read(".git/index")
	if err != nil {
		return nil, err
	}
	commits, err := gitlinks(index)
	if err != nil || len(commits) == 0 {
		return nil, err
	}
	text, err := read(".gitmodules")
	if err != nil {
		return nil, err
	}
	return namedSubmodules(string(text), remote, commits)
}

// gitlink is the mode of a submodule in a git index.
const gitlink = 0o160000

// errIndex is the error of an unreadable git index.
var errIndex = errors.New("its git index can't be read")

// gitlinks returns the commits of submodules by their paths from a git index, as of
// https://git-scm.com/docs/index-format.
func gitlinks(index []byte) (map[string]string, error) {
	const header, fixed, wide = 12, 62, 0x4000
	if len(index) < header || string(index[:4]) != "DIRC" {
		return nil, errIndex
	}
	version, count := binary.BigEndian.Uint32(index[4:]), binary.BigEndian.Uint32(index[8:])
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("%w: it has version %d", errIndex, version)
	}
	commits := map[string]string{}
	rest := index[header:]
	for range count {
		if len(rest) < fixed {
			return nil, errIndex
		}
		start := fixed
		if binary.BigEndian.Uint16(rest[60:])&wide != 0 { // further flags follow
			start += 2
		}
		end := bytes.IndexByte(rest[min(start, len(rest)):], 0)
		if end < 0 {
			return nil, errIndex
		}
		if binary.BigEndian.Uint32(rest[24:]) == gitlink {
			commits[string(rest[start:start+end])] = hex.EncodeToString(rest[40:60])
		}
		size := (start+end)/8*8 + 8 // filled up with 1 to 8 zeros
		if len(rest) < size {
			return nil, errIndex
		}
		rest = rest[size:]
	}
	return commits, nil
}

// namedSubmodules returns the submodules that a .gitmodules gives an address. Those that git
// doesn't fetch, since they say "update = none", are left out.
func namedSubmodules(text, remote string, commits map[string]string) (list []llb.Submodule, err error) {
	var sections []map[string]string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			sections = append(sections, map[string]string{})
		}
		if key, value, ok := strings.Cut(line, "="); ok && len(sections) > 0 && !strings.HasPrefix(line, "[") && !strings.ContainsAny(line[:1], "#;") {
			sections[len(sections)-1][strings.ToLower(strings.TrimSpace(key))] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	found := map[string]bool{}
	for _, s := range sections {
		commit := commits[s["path"]]
		if commit == "" {
			continue
		}
		found[s["path"]] = true
		if s["update"] != "none" {
			list = append(list, llb.Submodule{Path: s["path"], Remote: relativeTo(remote, s["url"]), Commit: commit})
		}
	}
	var problems []error
	for path := range commits {
		if !found[path] {
			problems = append(problems, fmt.Errorf("its submodule %q has no address in .gitmodules", path))
		}
	}
	return list, errors.Join(problems...)
}

// relativeTo returns the address of a submodule, which may be relative to that of its tree.
func relativeTo(remote, address string) string {
	if !strings.HasPrefix(address, "./") && !strings.HasPrefix(address, "../") {
		return address
	}
	remote = strings.TrimSuffix(remote, "/")
	for {
		if rest, ok := strings.CutPrefix(address, "./"); ok {
			address = rest
			continue
		}
		rest, ok := strings.CutPrefix(address, "../")
		if !ok {
			return remote + "/" + address
		}
		address = rest
		remote = remote[:max(0, strings.LastIndexByte(remote, '/'))]
	}
}
