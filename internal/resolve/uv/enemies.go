package uv

import (
	"fmt"
	"slices"

	"lamina.build/internal/failure"
)

// family are projects that install a package of the same name. Where two of
// them meet, the earlier one is the one to keep: it does more, or is still cared for.
type family struct {
	pkg      string
	projects []string
}

// families lists those that are known to meet by mistake.
func families() []family {
	return []family{
		{"onnxruntime", []string{
			"onnxruntime-gpu", "onnxruntime-training", "onnxruntime-openvino", "onnxruntime-directml",
			"onnxruntime-rocm", "onnxruntime-qnn", "onnxruntime",
		}},
		{"onnxruntime_genai", []string{"onnxruntime-genai-cuda", "onnxruntime-genai-directml", "onnxruntime-genai"}},
		{"cv2", []string{
			"opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python-headless", "opencv-python",
		}},
		{"tensorflow", []string{"tensorflow", "tensorflow-cpu", "tensorflow-rocm", "tensorflow-gpu", "tf-nightly", "tf-nightly-cpu"}},
		{"triton", []string{"triton", "pytorch-triton", "pytorch-triton-rocm"}},
		{"faiss", []string{"faiss-gpu-cu12", "faiss-gpu-cu11", "faiss-gpu", "faiss-cpu"}},
		{"cupy", []string{"cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy"}},
		{"paddle", []string{"paddlepaddle-gpu", "paddlepaddle"}},
		{"xgboost", []string{"xgboost", "xgboost-cpu"}},
		{"onnx", []string{"onnx", "onnx-weekly"}},
		{"PIL", []string{"pillow", "pillow-simd"}},
		{"psycopg2", []string{"psycopg2", "psycopg2-binary"}},
		{"pyspark", []string{"databricks-connect", "pyspark"}},
		{"kafka", []string{"kafka-python", "kafka-python-ng"}},
		{"ffmpeg", []string{"ffmpeg-python", "python-ffmpeg"}},
		{"Crypto", []string{"pycryptodome", "pycrypto"}},
		{"bson", []string{"pymongo", "bson"}},
		{"jwt", []string{"pyjwt", "jwt"}},
		{"serial", []string{"pyserial", "serial"}},
		{"fitz", []string{"pymupdf", "fitz"}},
	}
}

// enemies reports the pairs among projects that must never be installed together,
// since uv lets both write the same files. The order of the answer does not depend on
// theirs. Of a pair, the one to leave out is the one that is not asked for.
func enemies(projects, asked []string) (errs []error) {
	for _, f := range families() {
		met := slices.DeleteFunc(f.projects, func(p string) bool { return !slices.Contains(projects, p) })
		for i, keep := range met {
			for _, drop := range met[i+1:] {
				if slices.Contains(asked, drop) && !slices.Contains(asked, keep) {
					keep, drop = drop, keep
				}
				err := fmt.Errorf("%s and %s both install the package %q and overwrite each other", min(keep, drop), max(keep, drop), f.pkg)
				errs = append(errs, failure.WithHint(err, fmt.Sprintf("excludes = [%q] under [python] leaves one out wherever it is asked for", drop)))
			}
		}
	}
	return errs
}

// areEnemies says whether two projects are of one family.
func areEnemies(a, b string) bool {
	return slices.ContainsFunc(families(), func(f family) bool { return slices.Contains(f.projects, a) && slices.Contains(f.projects, b) })
}
