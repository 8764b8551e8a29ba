package weights

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/lock"
)

// ModelPackSuffix is what the tag of a ModelPack appends to that of its image. The two
// can't share a tag, since clients that pull a ModelPack don't look into an index.
const ModelPackSuffix = "-modelpack"

// The media types of a ModelPack: https://github.com/modelpack/model-spec/blob/main/docs/spec.md
const (
	modelPackType       = "application/vnd.cncf.model.manifest.v1+json"
	modelPackConfigType = "application/vnd.cncf.model.config.v1+json"
	modelPackWeights    = "application/vnd.cncf.model.weight.v1.tar"
	modelPackSettings   = "application/vnd.cncf.model.weight.config.v1.tar"
	modelPackPath       = "org.cncf.model.filepath" // annotation of a layer
)

// modelPackConfig is the configuration of a ModelPack, as far as a lock has its content.
type modelPackConfig struct {
	Descriptor struct {
		Name      string `json:"name"`
		SourceURL string `json:"sourceURL,omitempty"`
		Revision  string `json:"revision,omitempty"`
	} `json:"descriptor"`
	ModelFS struct {
		Type    string          `json:"type"`
		DiffIDs []digest.Digest `json:"diffIds"`
	} `json:"modelfs"`
	Config struct {
		Format string `json:"format,omitempty"`
	} `json:"config"`
}

// modelPack describes the layers of the image as a ModelPack.
func (j Job) modelPack(layers []digest.Digest) (document, error) {
	var c modelPackConfig
	c.Descriptor.Name, c.Descriptor.Revision = j.Model.Name(), j.Model.Commit
	if repository, _, ok := j.Model.Repository(); ok {
		c.Descriptor.SourceURL = "https://huggingface.co/" + repository
	}
	c.ModelFS.Type, c.ModelFS.DiffIDs = "layers", layers
	list := make([]ocispec.Descriptor, len(layers))
	for i, d := range layers {
		l := j.Layers[i]
		list[i] = ocispec.Descriptor{MediaType: modelPackSettings, Digest: d, Size: l.Size}
		files := l.paths()
		for _, file := range files {
			if !isSetting(file) {
				list[i].MediaType = modelPackWeights
			}
			if path.Ext(file) == ".safetensors" {
				c.Config.Format = "safetensors"
			}
		}
		at := strings.TrimPrefix(j.Model.Path, "/")
		if len(files) == 1 {
			at = files[0]
		}
		list[i].Annotations = map[string]string{modelPackPath: at}
	}
	config, err := json.Marshal(c)
	if err != nil {
		return document{}, err
	}
	pack, err := newDocument(ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: modelPackType,
		Config:       describe(modelPackConfigType, config),
		Layers:       list,
		Annotations:  map[string]string{Label: j.Model.Digest, planAnnotation: strconv.Itoa(lock.ModelPlan)},
	}, ocispec.MediaTypeImageManifest)
	pack.config = config
	return pack, err
}

// paths returns where the files of a layer are in an image, sorted.
func (l Layer) paths() []string {
	list := make([]string, 0, len(l.Files))
	for _, part := range l.Parts {
		if part.File != "" {
			list = append(list, part.File)
		}
	}
	slices.Sort(list)
	return list
}

// isSetting reports whether a file configures a model and has no weights.
func isSetting(file string) bool {
	return slices.Contains([]string{".json", ".jinja", ".md", ".model", ".txt", ".yaml", ".yml"}, path.Ext(file))
}
