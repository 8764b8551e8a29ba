package stages

import (
	"encoding/json"
	"path"

	"lamina.build/llb"
	"lamina.build/lock"
)

// models are the layers of weights. They are only ever merged: whatever read
// them here would make the engine pull them.
func (d drawing) models() []Part {
	var parts []Part
	for _, m := range d.Models {
		for _, w := range m.Weights {
			p := Part{Stage: "model", State: w.State, Layers: make([]Layer, len(w.Layers)), Added: true}
			for i, l := range w.Layers {
				p.Layers[i] = layerOf(l.Name, l)
				p.Layers[i].Fetched = l.Size
				p.Added = p.Added && l.Blob.Digest != "" // else an engine has yet to make it
			}
			parts = append(parts, p)
		}
	}
	return parts
}

// env says where the model is, and where the list of its files: see [lock.ModelVariables].
func (m Model) env() map[string]string {
	path, list := lock.ModelVariables(m.Name)
	env := map[string]string{path: m.Path}
	if m.Locked != nil {
		env[list] = m.listPath()
	}
	return env
}

// listDir is where an image has the lists of its models. It is not next to the
// weights, where a volume may be mounted over it.
const listDir = "/usr/share/lamina"

// listPath is where the image has the list of the model's files.
func (m Model) listPath() string {
	name := "model"
	if m.Name != "" {
		name += "-" + m.Name
	}
	return path.Join(listDir, name+".json")
}

func (m Model) listName() string { return "list of the files of " + m.Path }

// modelList is the list as the app reads it.
type modelList struct {
	From   string      `json:"from"`             // as in the spec: "hf://ORG/NAME@REVISION"
	Commit string      `json:"commit,omitempty"` // that the revision was locked to
	Digest string      `json:"digest"`           // of all files, as "build model ls" shows it
	Files  []modelFile `json:"files"`
}

type modelFile struct {
	Path   string `json:"path"` // below MODEL_PATH
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Source string `json:"source,omitempty"` // in the repository, where the file has another name there
	URL    string `json:"url,omitempty"`    // of a model that is no repository of a hub
}

// lists are the layers with the lists of the locked models' files, which all
// variants have: those with the weights to check them, those without to get them.
func (d drawing) lists() []Part {
	var parts []Part
	for _, m := range d.Models {
		if m.Locked != nil {
			text := listOf(*m.Locked)
			p := part("list", llb.Text(m.listName(), m.listPath(), text), Layer{What: m.listName(), Unpacked: int64(len(text))})
			parts = append(parts, p.checked(llb.LayerCheck{Name: m.listName(), Places: []string{m.listPath()}}))
		}
	}
	return parts
}

func listOf(m lock.Model) string {
	list := modelList{From: m.From, Commit: m.Commit, Digest: m.Digest, Files: make([]modelFile, len(m.Files))}
	for i, f := range m.Files {
		list.Files[i] = modelFile{Path: m.Target(f.Path), Size: f.Size, SHA256: f.SHA256, URL: f.URL}
		if list.Files[i].Path != f.Path {
			list.Files[i].Source = f.Path
		}
	}
	data, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		panic("internal error: " + err.Error()) // texts and numbers
	}
	return string(data) + "\n"
}
