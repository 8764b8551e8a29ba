package uv

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/cache"
	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	shared "lamina.build/internal/scripts"
	"lamina.build/llb"
	"lamina.build/lock"
)

//go:embed scripts/resolve.py
var resolveScript string

//go:embed scripts/backend.py
var backendScript string

//go:embed scripts/inventory.py
var inventoryScript string

// code returns the scripts of an exec.
func code() llb.State {
	files := shared.Named("sdist.py")
	maps.Copy(files, map[string]string{"resolve.py": resolveScript, "backend.py": backendScript, "inventory.py": inventoryScript, "bridge.py": door.Bridge()})
	return llb.Files("scripts of the resolving", files)
}

// Paths in an exec.
const (
	codePath   = "/.lamina/scripts"
	answerPath = "/.lamina/answer"
	answerName = "answer.json"
	socketPath = "/run/lamina-door.sock"
	certPath   = "/.lamina/authority"
	certName   = "authority.pem"
)

// inventoryGraph lists what Debian's packages provide. It depends only on them, so that an
// engine runs it once.
func (o Options) inventoryGraph() llb.State {
	exec := llb.Exec{
		Name: "look what Debian's packages bring",
		Args: []string{"/usr/bin/python3", codePath + "/inventory.py", answerPath + "/" + answerName},
		Mounts: []llb.Mount{
			{Target: codePath, From: code()},
			{Target: "/image", From: o.Image},
		},
	}
	return exec.Output(o.Builder, answerPath)
}

// resolveGraph asks one question. Without a door, the answer needs no index, and depends
// only on the graph.
func (o Options) resolveGraph(i int, q question, project *llb.Layer, d *door.Door) llb.State {
	text, err := json.Marshal(q)
	if err != nil {
		panic("internal error: " + err.Error()) // it has only texts
	}
	args := []string{"/usr/bin/python3", codePath + "/resolve.py", "/.lamina/question/question.json", answerPath + "/" + answerName}
	mounts := []llb.Mount{
		{Target: codePath, From: code()},
		{Target: "/.lamina/question", From: llb.Files("question", map[string]string{"question.json": string(text)})},
	}
	if project != nil {
		mounts = append(mounts, llb.Mount{Target: projectPath, From: llb.Packed(*project)})
	}
	sources := o.Requests[i].Sources
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		mounts = append(mounts, llb.Mount{Target: path.Join(treesPath, name), From: llb.Packed(o.Trees[sources[name]])})
	}
	exec := llb.Exec{Name: "resolve " + o.Requests[i].Set.String(), Args: args, Env: []string{"UV_CACHE_DIR=/tmp/uv", "HOME=/tmp/home"}, Mounts: mounts}
	if d == nil {
		return exec.Output(o.Builder, answerPath)
	}
	exec.Args = slices.Concat([]string{"/usr/bin/python3", codePath + "/bridge.py", socketPath, strconv.Itoa(int(o.limit().Seconds()))}, args)
	exec.Env = slices.Concat(doorEnv(), o.Logins.gitConfig(o.Requests[i]), []string{"HOME=/tmp/home"})
	exec.Mounts = append(exec.Mounts,
		llb.Mount{Target: uvPath, From: o.uvState()},
		llb.Mount{Target: certPath, From: llb.Files("authority of the door", map[string]string{certName: string(d.Authority())})},
	)
	exec.Sockets = []llb.Socket{{ID: doorID(i), Path: socketPath}}
	exec.Caches = []cache.Mount{cache.UV(o.CacheID, o.Requests[i].Set.String())}
	// It runs each time, since the authority is always a new one. BuildKit's own option,
	// IgnoreCache, would empty uv's cache as well.
	return exec.Output(o.Builder, answerPath)
}

// uvWheel returns the wheel of uv that Lamina resolves and installs with: a static binary
// for musl. The hashes are pinned here; another uv requires another Lamina.
func uvWheel(platform string) (lock.UV, error) {
	const version, files = "0.13.9", "https://files.pythonhosted.org/packages/"
	switch platform {
	case "linux/amd64":
		return lock.UV{
			Version: version, File: "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl", Size: 19295638,
			URL:    files + "fe/fe/794884de0efd3ac77a427cab21aa72c0483e100c55a42cd5cbb02c141b84/uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
			SHA256: "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
		}, nil
	case "linux/arm64":
		return lock.UV{
			Version: version, File: "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl", Size: 18026789,
			URL:    files + "57/15/94b6cd62ac3ff6550288328e8035288875197cbc183f51554b266a69877b/uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
			SHA256: "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
		}, nil
	}
	return lock.UV{}, failure.New(failure.Usage, fmt.Errorf("platform %q: Lamina has no uv for it to install Python packages", platform))
}

// findUV returns uv's wheel with its address on the default index, or PyPI's if that index
// lacks the file.
func (o Options) findUV(ctx context.Context, platform string) (lock.UV, error) {
	uv, err := uvWheel(platform)
	if err != nil || strings.TrimRight(o.Indexes.Default, "/") == DefaultIndex {
		return uv, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // for one page; PyPI is the fallback
	defer cancel()
	files, err := door.ReadProject(ctx, o.HTTP, o.Indexes.Default, "uv")
	if err != nil {
		return uv, nil //nolint:nilerr // a private index may lack it
	}
	for _, f := range files {
		if f.Name == uv.File && f.Hashes["sha256"] == uv.SHA256 {
			uv.URL = f.URL
		}
	}
	return uv, nil
}

// uvPath is the path of uv in an exec.
const uvPath = "/.lamina/uv"

// uvState has the program at its root.
func (o Options) uvState() llb.State {
	wheel := llb.Fetch(o.uv.URL, digest.NewDigestFromEncoded(digest.SHA256, o.uv.SHA256), o.uv.File)
	return llb.UV{Wheel: llb.File{From: wheel, Path: "/" + o.uv.File}}.On(o.Builder)
}

// packProject packs only the files of the project that requests name: wheels, directories of
// wheels, locks and pyproject files. It returns nil if there are none.
func (o Options) packProject(ctx context.Context) (*llb.Layer, error) {
	var include []string
	for _, r := range o.Requests {
		for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
			if w.Kind == reqfile.Path {
				include = append(include, w.Path)
			}
		}
		for _, l := range r.Files.FindLinks {
			if !strings.Contains(l, "://") {
				include = append(include, path.Join(l, "*.whl"), path.Join(l, "*.tar.gz"), path.Join(l, "*.zip"))
			}
		}
		include = append(include, r.ProjectFiles...)
	}
	if len(include) == 0 {
		return nil, nil
	}
	slices.Sort(include)
	layer, err := layers.Tree(ctx, o.Store, layers.TreeOptions{
		Keep: layers.AllKeys(), // in no image
		Name: "files of the project", FS: o.Project, Target: "/", Include: slices.Compact(include),
		Compression: layers.Uncompressed, Platform: o.Platform,
	})
	if errors.Is(err, layers.ErrEmpty) {
		return nil, nil
	}
	return &layer, err
}
