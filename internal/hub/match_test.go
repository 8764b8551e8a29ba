package hub_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/layers"
	"lamina.build/lock"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	files := []hub.File{{ModelFile: lock.ModelFile{Path: "a.json", Size: 1}}, {ModelFile: lock.ModelFile{Path: "det/x.onnx", Size: 2}}, {ModelFile: lock.ModelFile{Path: "pose/deep/y.bin", Size: 3}}}
	got, err := hub.Match(files, []string{"*.json", "pose"}, nil)
	if diff := cmp.Diff([]hub.File{files[0], files[2]}, got); diff != "" || err != nil {
		t.Errorf("files (-want +got):\n%s%v", diff, err)
	}
	if got, err = hub.Match(nil, nil, nil); len(got) != 0 || err != nil {
		t.Errorf("no files: got %v, %v", got, err)
	}
	_, err = hub.Match(files, []string{"*.jsn"}, nil)
	if !errors.Is(err, hub.ErrNoMatch) || failure.KindOf(err) != failure.Usage || !strings.Contains(failure.Hints(err)[0], `3 files, such as "a.json"`) {
		t.Errorf("got %v, %q", err, failure.Hints(err))
	}
	_, err = hub.Match(files, []string{"a["}, nil)
	var pattern *layers.PatternError
	if !errors.As(err, &pattern) || failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v", err)
	}
}
