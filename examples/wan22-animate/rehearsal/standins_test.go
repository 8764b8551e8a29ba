package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/examples/wan22-animate/rehearsal/world"
)

const (
	weights    = "/models/Wan2.2-Animate-14B"
	preprocess = "/opt/Wan2.2/wan/modules/animate/preprocess"
)

// A rehearsal is as good as its stand-ins, which have the traps of the real scripts.
func (s *setting) testStandIns(t *testing.T) {
	m := s.machine(t, "production")
	work := filepath.Join(m.Root, "trial")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(work, 10001, 10001); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"driving.mp4": world.Driving().MP4(), "picture.png": world.Picture(64, 64)} {
		if err := os.WriteFile(filepath.Join(work, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const prepare = "python3 " + preprocess + "/preprocess_data.py --ckpt_path " + weights + "/process_checkpoint --video_path /trial/driving.mp4" +
		" --refer_path /trial/picture.png --save_path /trial/out --resolution_area 832 480"
	for _, tt := range []struct {
		name, command string
		env           []string
		code          int
		says          string
	}{
		{"preprocessing", prepare, nil, 0, "Processing template video"},
		{"import as a package", `python3 -c 'import sys; sys.path.insert(0, "/opt/Wan2.2"); from wan.modules.animate.preprocess import preprocess_data'`, nil, 1, "ModuleNotFoundError"},
		{"import as scripts, safely", "python3 -P " + preprocess + "/preprocess_data.py --help", nil, 1, "ModuleNotFoundError"},
		{"a tensor that is gone", "cd " + preprocess + " && python3 -c 'import onnxruntime; onnxruntime.InferenceSession(\"/trial/none.onnx\")'", nil, 1, "NO_SUCHFILE"},
		{"the extension", `python3 -c 'import numpy as np; from insightface.app import MaskRenderer
print(MaskRenderer().normals(np.eye(3), np.array([[0, 1, 2]])))'`, nil, 0, "[[1. 1. 1.]]"},
		{"a linear algebra", `python3 -c 'import numpy as np; print(np.__version__, np.linalg.inv(np.diag([2.0, 4.0])).sum())'`, nil, 0, "1.26.4 0.75"},
		{"sam2 without its extension", `python3 -c 'import sam2._C'`, nil, 1, "ModuleNotFoundError"},
		{"which GPUs", `python3 -c 'import onnxruntime as o; print(o.get_available_providers())'`, nil, 0, "CUDAExecutionProvider"},
	} {
		c := started(t)(m.Exec(append([]string{"REHEARSAL_CUDA=1"}, tt.env...), "/bin/sh", "-c", tt.command))
		if code := wait(t, c); code != tt.code || !strings.Contains(c.Output(), tt.says) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s", tt.name, code, tt.code, tt.says, c.Output())
		}
	}
}
