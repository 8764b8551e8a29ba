package wan22animate_test

import (
	"os"
	"reflect"
	"testing"

	"lamina.build/lock"
	"lamina.build/spec"
)

// Programs ignore a variable that they don't know, so nothing else fails without these.
func TestVariablesThatOthersRead(t *testing.T) {
	t.Parallel()
	file, err := spec.Read(os.DirFS("."), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, variant := range file.Variants() {
		s, err := file.Variant(variant)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"NO_ALBUMENTATIONS_UPDATE": "1", "TRANSFORMERS_OFFLINE": "1"}
		if variant == "debug" {
			want["PYTHONFAULTHANDLER"] = "1"
		}
		for name, value := range want {
			if s.App.Env[name] != value {
				t.Errorf("%s: %s isn't %s in %v", variant, name, value, s.App.Env)
			}
		}
	}
}

// A variant with another list of models repeats what it shares with production, which
// must be the same to the letter, or the image would have it twice.
func TestModelsAreTheSameInAllVariants(t *testing.T) {
	t.Parallel()
	file, err := spec.Read(os.DirFS("."), ".")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]lock.ModelRequest{}
	for _, variant := range file.Variants() { // production first
		s, err := file.Variant(variant)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.Models {
			if old, ok := want[m.Name]; ok && !reflect.DeepEqual(old, m.Request()) {
				t.Errorf("%s: the model %q is %+v, production's is %+v", variant, m.Name, m.Request(), old)
			}
			want[m.Name] = m.Request()
		}
	}
	if len(want) != 5 {
		t.Errorf("there are %d models, want 5", len(want))
	}
}
