package uv_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/uv"
)

func TestEnemies(t *testing.T) {
	got := uv.Enemies([]string{
		"pillow", "opencv-python", "numpy", "onnxruntime-gpu", "opencv-python-headless", "onnxruntime", "opencv-contrib-python", "onnxruntime",
	}, nil)
	same(t, "enemies", texts(got), []string{
		`onnxruntime and onnxruntime-gpu both install the package "onnxruntime" and overwrite each other`,
		`opencv-contrib-python and opencv-python-headless both install the package "cv2" and overwrite each other`,
		`opencv-contrib-python and opencv-python both install the package "cv2" and overwrite each other`,
		`opencv-python and opencv-python-headless both install the package "cv2" and overwrite each other`,
	})
	same(t, "hints", failure.Hints(errors.Join(got...)), []string{
		`excludes = ["onnxruntime"] under [python] leaves one out wherever it is asked for`,
		`excludes = ["opencv-python-headless"] under [python] leaves one out wherever it is asked for`,
		`excludes = ["opencv-python"] under [python] leaves one out wherever it is asked for`,
	})
	if got := uv.Enemies([]string{"pillow", "opencv-python", "numpy"}, nil); got != nil {
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

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func ExampleEnemies() {
	err := errors.Join(uv.Enemies([]string{"numpy", "onnxruntime", "onnxruntime-gpu"}, nil)...)
	fmt.Println(err)
	fmt.Println(failure.Hints(err))
	// Output:
	// onnxruntime and onnxruntime-gpu both install the package "onnxruntime" and overwrite each other
	// [excludes = ["onnxruntime"] under [python] leaves one out wherever it is asked for]
}
