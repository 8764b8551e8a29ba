package weights

import (
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/hub"
	"lamina.build/llb"
	"lamina.build/lock"
)

// Fetched are the layers of a model as an engine makes them: every file fetched
// by its digest, one clean layer for each of the plan's.
func Fetched(c *hub.Client, m lock.Model, layers []Layer) []llb.State {
	states := make([]llb.State, len(layers))
	for i, l := range layers {
		var files []llb.File
		var empty []string
		for _, p := range l.Paths {
			switch f, ok := l.Files[strings.TrimPrefix(p, "/")]; {
			case ok:
				files = append(files, file(c, m, p, f))
			case !strings.HasSuffix(p, "/"):
				empty = append(empty, p)
			}
		}
		states[i] = llb.ModelLayer(l.Name, files, empty)
	}
	return states
}

func file(c *hub.Client, m lock.Model, target string, f lock.ModelFile) llb.File {
	sum := digest.NewDigestFromEncoded(digest.SHA256, f.SHA256)
	return llb.File{From: llb.Fetch(File(c, m, f).URL, sum, path.Base(target)), Path: target}
}

// Outline is what is known of the layers before they are made.
func Outline(layers []Layer) []llb.Layer {
	list := make([]llb.Layer, len(layers))
	for i, l := range layers {
		list[i] = llb.Layer{Name: l.Name, Size: l.Size, Paths: l.Paths}
	}
	return list
}
