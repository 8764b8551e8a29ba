package stages

import (
	"encoding/json"
	"path"

	"lamina.build/llb"
	"lamina.build/lock"
)

// models returns the layers of weights. They are only merged: anything that read them here
// would make the engine pull them.
func (d drawing) models() []Part {
	var parts []Part
	for _, m := range d.Models {
		for _, w := range m.Weights {
			p := Part{Stage: "model", State: w.State, Layers: make([]Layer, len(w.Layers)), Added: true}
			for i, l := range w.Layers {
				p.Layers[i] = layerOf(l.Name, l)
				p.Layers[i].Fetched = l.Size
				p.Added = p.Added && l.Blob.Digest != "" // else an engine makes it
			}
			parts = append(parts, p)
		}
	}
	return parts
}

// env returns the variables with the paths of the model and its list: see [lock.ModelVariables].
func (m Model) env() map[string]string {
	path, list := lock.ModelVariables(m.Name)
	env := map[string]string{path: m.Path}
	if m.Locked != nil {
		env[list] = m.listPath()
	}
	return env
}

// listDir is the image's directory for the lists of models. It is apart from the weights, where
// a volume may be mounted over it.
const listDir = "/usr/share/lamina"

// listPath returns the path of the list of the model's files.
func (m Model) listPath() string {
	name := "model"
	if m.Name != "" {
		name += "-" + m.Name
	}
	return path.Join(listDir, name+".json")
}

func (m Model) listName() string { return "list of the files of " + m.Path }

// modelList is the list that the app reads.
type modelList struct {
	From   string      `json:"from"`             // as in the spec: "hf://ORG/NAME@REVISION"
	Commit string      `json:"commit,omitempty"` // that the revision was locked to
	Digest string      `json:"digest"`           // of all files, as shown by "build model ls"
	Files  []modelFile `json:"files"`
}

type modelFile struct {
	Path   string `json:"path"` // below MODEL_PATH
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Source string `json:"source,omitempty"` // in the repository, if the file has another name there
	URL    string `json:"url,omitempty"`    // of a model that is not in a hub's repository
}

// lists returns the layers with the lists of the locked models' files. All variants have
// them: those with weights to verify them, those without to download them.
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
		panic("internal error: " + err.Error()) // strings and numbers always marshal
	}
	return string(data) + "\n"
}
