package uv

import (
	"errors"
	"testing"

	"lamina.build/internal/failure"
)

func TestEnemies(t *testing.T) {
	got := enemies([]string{
		"pillow", "opencv-python", "numpy", "onnxruntime-gpu", "opencv-python-headless", "onnxruntime", "opencv-contrib-python", "onnxruntime",
	}, nil)
	equal(t, "enemies", texts(got), []string{
		`onnxruntime and onnxruntime-gpu both install the package "onnxruntime" and overwrite each other`,
		`opencv-contrib-python and opencv-python-headless both install the package "cv2" and overwrite each other`,
		`opencv-contrib-python and opencv-python both install the package "cv2" and overwrite each other`,
		`opencv-python and opencv-python-headless both install the package "cv2" and overwrite each other`,
	})
	equal(t, "hints", failure.Hints(errors.Join(got...)), []string{
		`write excludes = ["onnxruntime"] under [python] to leave one out everywhere`,
		`write excludes = ["opencv-python-headless"] under [python] to leave one out everywhere`,
		`write excludes = ["opencv-python"] under [python] to leave one out everywhere`,
	})
	if got := enemies([]string{"pillow", "opencv-python", "numpy"}, nil); got != nil {
		t.Errorf("got %q", got)
	}
}

func texts(errs []error) []string {
	var list []string
	for _, err := range errs {
		list = append(list, err.Error())
	}
	return list
}
