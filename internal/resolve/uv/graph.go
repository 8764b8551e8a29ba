package uv

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"

	"lamina.build/cache"
	"lamina.build/internal/resolve/door"
	shared "lamina.build/internal/scripts"
	"lamina.build/llb"
)

//go:embed scripts/*.py
var scripts embed.FS

// Where an exec has what it is given.
const (
	codePath   = "/.lamina/scripts"
	answerPath = "/.lamina/answer"
	answerName = "answer.json"
	socketPath = "/run/lamina-door.sock"
	certPath   = "/.lamina/authority"
	certName   = "authority.pem"
)

// inventoryGraph asks what Debian's packages bring. It depends on nothing but
// them, so that an engine does it once.
func (o Options) inventoryGraph() (llb.State, error) {
	code, err := scriptFiles()
	if err != nil {
		return llb.State{}, err
	}
	exec := llb.Exec{
		Name: "look what Debian's packages bring",
		Args: []string{"/usr/bin/python3", codePath + "/inventory.py", answerPath + "/" + answerName},
		Mounts: []llb.Mount{
			{Target: codePath, From: llb.Files("scripts of the resolving", code)},
			{Target: "/image", From: o.Image},
		},
	}
	return exec.Output(o.Builder, answerPath), nil
}

// resolveGraph asks one question. Without a door it is asked for nothing from an
// index, of what nothing but the graph decides.
func (o Options) resolveGraph(i int, q question, project *llb.Layer, d *door.Door) (llb.State, error) {
	code, err := scriptFiles()
	if err != nil {
		return llb.State{}, err
	}
	text, err := q.text()
	if err != nil {
		return llb.State{}, err
	}
	args := []string{"/usr/bin/python3", codePath + "/resolve.py", "/.lamina/question/question.json", answerPath + "/" + answerName}
	mounts := []llb.Mount{
		{Target: codePath, From: llb.Files("scripts of the resolving", code)},
		{Target: "/.lamina/question", From: llb.Files("question", map[string]string{"question.json": text})},
	}
	if project != nil {
		mounts = append(mounts, llb.Mount{Target: projectPath, From: llb.Packed(*project)})
	}
	sources := o.Requests[i].Sources
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		mounts = append(mounts, llb.Mount{Target: path.Join(treesPath, name), From: llb.Packed(o.Trees[sources[name]])})
	}
	exec := llb.Exec{Name: "resolve " + o.Requests[i].Set, Args: args, Env: []string{"UV_CACHE_DIR=/tmp/uv", "HOME=/tmp/home"}, Mounts: mounts}
	if d == nil {
		return exec.Output(o.Builder, answerPath), nil
	}
	exec.Args = slices.Concat([]string{"/usr/bin/python3", codePath + "/bridge.py", socketPath, strconv.Itoa(int(o.Limit.Seconds()))}, args)
	exec.Env = slices.Concat(doorEnv(), o.Logins.gitConfig(o.Requests[i].named(o.Project)), []string{"HOME=/tmp/home"})
	exec.Mounts = append(exec.Mounts,
		llb.Mount{Target: uvPath, From: o.uvState()},
		llb.Mount{Target: certPath, From: llb.Files("authority of the door", map[string]string{certName: string(d.Authority())})},
	)
	exec.Sockets = []llb.Socket{{ID: doorID(i), Path: socketPath}}
	exec.Caches = []cache.Mount{cache.UV(o.CacheID, o.Requests[i].Set)}
	// The authority is another one each time, so that it runs each time. BuildKit's
	// own word for that, IgnoreCache, would empty uv's cache as well.
	return exec.Output(o.Builder, answerPath), nil
}

// doorEnv has uv, git and Python's own client trust the door, and uv take nothing
// from elsewhere.
func doorEnv() []string {
	cert := certPath + "/" + certName
	return []string{
		"SSL_CERT_FILE=" + cert, "GIT_SSL_CAINFO=" + cert, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1",
		"UV_CACHE_DIR=/var/cache/uv", "UV_NO_GITHUB_FAST_PATH=1", "UV_PYTHON_DOWNLOADS=never", "UV_LINK_MODE=copy", "UV_PREVIEW_FEATURES=pylock",
		"UV_HTTP_RETRIES=1",   // the door tries often enough, but for what is cut
		"UV_HTTP_TIMEOUT=300", // longer than the door takes for all its attempts
		// Files get a local version when they are released, as flash-attn's; readWheel looks.
		"UV_SKIP_WHEEL_FILENAME_CHECK=1",
	}
}

// doorID is what an exec asks its session for.
func doorID(i int) string { return fmt.Sprintf("lamina-door-%d", i) }

func scriptFiles() (map[string]string, error) {
	names, err := fs.Glob(scripts, "scripts/*.py")
	if err != nil {
		return nil, err
	}
	code := shared.Named("sdist.py")
	code["bridge.py"] = door.Bridge()
	for _, name := range names {
		data, err := scripts.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		code[path.Base(name)] = string(data)
	}
	return code, nil
}
