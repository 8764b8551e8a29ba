package world

import (
	"fmt"
	"hash/fnv"
	"path"
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/test/testworld"
)

// scale is how much smaller the files of the model are.
const scale = 1000

// large are the files of the model in large file storage, with the sizes of the real
// ones. Sizes that aren't known to the byte are round.
var large = map[string]int64{
	"diffusion_pytorch_model-00001-of-00004.safetensors":      9_900_000_000,
	"diffusion_pytorch_model-00002-of-00004.safetensors":      9_900_000_000,
	"diffusion_pytorch_model-00003-of-00004.safetensors":      9_900_000_000,
	"diffusion_pytorch_model-00004-of-00004.safetensors":      4_850_000_000,
	"models_t5_umt5-xxl-enc-bf16.pth":                         11_361_920_418,
	"models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth": 4_772_359_047,
	"Wan2.1_VAE.pth":                                  507_609_880,
	"google/umt5-xxl/spiece.model":                    4_548_313,
	"google/umt5-xxl/tokenizer.json":                  16_837_417,
	"xlm-roberta-large/flax_model.msgpack":            2_239_607_176,
	"xlm-roberta-large/model.safetensors":             2_244_817_354,
	"xlm-roberta-large/onnx/model.onnx_data":          2_235_326_464,
	"xlm-roberta-large/pytorch_model.bin":             2_244_861_551,
	"xlm-roberta-large/tf_model.h5":                   2_240_000_000,
	"xlm-roberta-large/sentencepiece.bpe.model":       5_069_051,
	"xlm-roberta-large/tokenizer.json":                9_096_718,
	"relighting_lora.ckpt":                            2_870_000_000,
	"relighting_lora/adapter_model.safetensors":       2_870_000_000,
	"process_checkpoint/det/yolov10m.onnx":            61_659_339,
	"process_checkpoint/sam2/sam2_hiera_large.pt":     897_952_466,
	"process_checkpoint/sam2/sam2_hiera_base_plus.pt": 323_493_298,
	"process_checkpoint/sam2/sam2_hiera_small.pt":     184_309_650,
	"process_checkpoint/sam2/sam2_hiera_tiny.pt":      155_906_050,
	"assets/comp_effic.png":                           1_793_594,
	"assets/vae.png":                                  165_486,
}

// small are the files of the model in git itself.
var small = map[string]string{
	".gitattributes": "*.pth filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
	"README.md":      "---\nlicense: apache-2.0\n---\n# Wan2.2-Animate-14B\n\nA stand-in of a rehearsal.\n",
	"config.json":    `{"_class_name": "WanAnimateModel", "dim": 5120, "num_layers": 40}` + "\n",
	"google/umt5-xxl/special_tokens_map.json": "{}\n",
	"google/umt5-xxl/tokenizer_config.json":   "{}\n",
	"relighting_lora/adapter_config.json":     "{}\n",
	"xlm-roberta-large/README.md":             "# xlm-roberta-large\n",
	"xlm-roberta-large/config.json":           `{"model_type": "xlm-roberta"}` + "\n",
	"xlm-roberta-large/onnx/config.json":      "{}\n",
	"xlm-roberta-large/tokenizer_config.json": "{}\n",
}

// tensors of the pose model are in 393 files next to it, with posed bytes together.
const (
	tensors = 393
	posed   = 2_548_950_016
	pose    = "process_checkpoint/pose2d/vitpose_h_wholebody.onnx/"
)

// repositories are the sources of the example's models, at 1/1000 of their size.
var repositories = map[string]func() map[string]testworld.HubFile{
	"Wan-AI/Wan2.2-Animate-14B":                                    model,
	"Wan-AI/Wan2.2-Animate-14B-Diffusers":                          converted,
	"lightx2v/Wan2.1-I2V-14B-480P-StepDistill-CfgDistill-Lightx2v": distilled,
}

// converted returns the model in diffusers' format, for the example's image encoder.
func converted() map[string]testworld.HubFile {
	files := map[string]testworld.HubFile{"model_index.json": testworld.Small("{}\n")}
	for part, size := range map[string]int64{"image_encoder/model": 1_260_000_000, "transformer/diffusion_pytorch_model-00001-of-00015": 4_600_000_000} {
		files[part+".safetensors"] = testworld.Large(content(part, size/scale))
		files[path.Dir(part)+"/config.json"] = testworld.Small("{}\n")
	}
	return files
}

// distilled returns LoRAs for few steps.
func distilled() map[string]testworld.HubFile {
	const name = "loras/Wan21_I2V_14B_lightx2v_cfg_step_distill_lora_rank64.safetensors"
	return map[string]testworld.HubFile{"README.md": testworld.Small("# LoRAs\n"), name: testworld.Large(content(name, 738_000_000/scale))}
}

// model returns the repository of the model.
func model() map[string]testworld.HubFile {
	files := map[string]testworld.HubFile{"diffusion_pytorch_model.safetensors.index.json": testworld.Small(shards())}
	for name, text := range small {
		files[name] = testworld.Small(text)
	}
	for name, size := range large {
		files[name] = testworld.Large(content(name, size/scale))
	}
	var index strings.Builder
	index.WriteString("a stand-in for an ONNX model\n")
	for i := range tensors {
		name := tensor(i)
		files[pose+name] = testworld.Large(content(name, posed/tensors/scale))
		fmt.Fprintf(&index, "external: %s\n", name)
	}
	files[pose+"end2end.onnx"] = testworld.Large(testworld.Text(index.String()))
	return files
}

// tensor names files as the exporter does: after the parts of a network, or by
// number where a part has no name.
func tensor(i int) string {
	if i%3 == 0 {
		return fmt.Sprintf("onnx__MatMul_%d", 6000+i)
	}
	return fmt.Sprintf("backbone.blocks.%d.attn.part%d.weight", i/12, i%12)
}

// content always returns the same for a name.
func content(name string, size int64) testworld.Content {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return testworld.Generated(h.Sum64(), size)
}

func shards() string {
	lines := make([]string, 0, 4)
	for i := range 4 {
		lines = append(lines, fmt.Sprintf(`  "blocks.%d.weight": "diffusion_pytorch_model-%05d-of-00004.safetensors"`, i, i+1))
	}
	return "{\"metadata\": {}, \"weight_map\": {\n" + strings.Join(lines, ",\n") + "\n}}\n"
}

// modelAddress finds models in a spec.
var modelAddress = regexp.MustCompile(`"hf://([\w.-]+/[\w.-]+)@([\w.-]+)"`)

// putModels publishes the models that the spec names, at the spec's revisions: a
// commit, a branch or a tag.
func (w *World) putModels(t testing.TB) {
	t.Helper()
	repos := map[string]*testworld.HubRepo{}
	for _, m := range modelAddress.FindAllStringSubmatch(w.texts[specName], -1) {
		if repos[m[1]] == nil {
			repos[m[1]] = w.Hub.Repo(m[1], testworld.HubRepoOptions{})
		}
		files := repositories[m[1]]()
		if len(m[2]) == 40 {
			repos[m[1]].CommitAs(m[2], files)
			continue
		}
		repos[m[1]].Tag(m[2], repos[m[1]].Commit(files))
	}
}

// Large returns the path of a large file of the model on the hub's other host.
func (w *World) Large(name string) string {
	return w.Hub.BlobPath(model()[name])
}
