package requirements_test

import (
	"errors"
	"testing"

	"lamina.build/internal/fault"
	"lamina.build/internal/requirements"
)

func TestEnemies(t *testing.T) {
	got := requirements.Enemies([]string{
		"pillow", "opencv-python", "numpy", "onnxruntime-gpu", "opencv-python-headless", "onnxruntime", "opencv-contrib-python", "onnxruntime",
	})
	equal(t, "enemies", texts(got), []string{
		`onnxruntime and onnxruntime-gpu both install the package "onnxruntime" and overwrite each other`,
		`opencv-contrib-python and opencv-python-headless both install the package "cv2" and overwrite each other`,
		`opencv-contrib-python and opencv-python both install the package "cv2" and overwrite each other`,
		`opencv-python and opencv-python-headless both install the package "cv2" and overwrite each other`,
	})
	equal(t, "hints", fault.Hints(errors.Join(got...)), []string{
		"drop onnxruntime and keep onnxruntime-gpu",
		"drop opencv-python-headless and keep opencv-contrib-python",
		"drop opencv-python and keep opencv-contrib-python",
		"drop opencv-python and keep opencv-python-headless",
	})
	if got := requirements.Enemies([]string{"pillow", "opencv-python", "numpy"}); got != nil {
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
