package python_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/fault"
	"lamina.build/internal/python"
	"lamina.build/lock"
)

func TestReadAnswer(t *testing.T) {
	tests := []struct {
		name, text string
		kind       fault.Kind
		says       string
		hints      []string
	}{
		{"fine", `{"distributions": [{"name": "a"}, {"name": "onnxruntime"}]}`, 0, "", nil},
		{"usage", `{"fault": {"kind": "usage", "message": "no a\n", "hint": "take b"}}`, fault.Usage, "python@x: no a", []string{"take b"}},
		{"transient", `{"fault": {"kind": "transient", "message": "down"}}`, fault.Transient, "python@x: down", nil},
		{"failure", `{"fault": {"kind": "failure", "message": "other bytes"}}`, fault.Failure, "python@x: other bytes", nil},
		{"unknown kind", `{"fault": {"kind": "odd", "message": "x", "hint": "y"}}`, fault.Failure, "python@x: x", []string{"y"}},
		{"no JSON", `{`, fault.Failure, "python@x: reading the answer of pip: ", nil},
		{
			"enemies", `{"distributions": [{"name": "onnxruntime"}, {"name": "cupy"}, {"name": "onnxruntime-gpu"}, {"name": "cupy-cuda12x"}]}`, fault.Usage,
			"python@x: onnxruntime and onnxruntime-gpu both install the package \"onnxruntime\" and overwrite each other\n" +
				"python@x: cupy and cupy-cuda12x both install the package \"cupy\" and overwrite each other",
			[]string{"drop onnxruntime and keep onnxruntime-gpu", "drop cupy and keep cupy-cuda12x"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := python.ReadAnswer("python@x", []byte(tt.text))
			if tt.says == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.says) {
				t.Fatalf("got %v, want %q", err, tt.says)
			}
			if got := fault.KindOf(err); got != tt.kind {
				t.Errorf("kind is %d, want %d", got, tt.kind)
			}
			if diff := cmp.Diff(tt.hints, fault.Hints(err)); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
		})
	}
}

// A fault begins with the places of the lines that asked for what it is about.
func TestReadAnswerOfLines(t *testing.T) {
	r := python.Request{Set: "python@x", Files: wishes(
		t, "torch==9", "sam2 @ git+https://g.example/sam.git@"+commit, "numpy", "-c torch==9", "-c pillow<11",
	)}
	for lines, want := range map[string]string{
		`[]`:                                  "python@x: no",
		`["numpy"]`:                           "r.txt:3: python@x: no",
		`["torch==9", "pillow<11", "numpy"]`:  "r.txt:1, c.txt:2, r.txt:3: python@x: no",
		`["sam2 @ file:///tmp/trees/0/sam2"]`: "r.txt:2: python@x: no",
		`["numpy", "setuptools", "numpy"]`:    "r.txt:3: python@x: no",
	} {
		_, err := r.Read([]byte(`{"fault": {"kind": "usage", "message": "no", "lines": ` + lines + `}}`))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %q", lines, err, want)
		}
	}
}

func answers(t *testing.T, requests []python.Request, texts ...string) []python.Answer {
	t.Helper()
	list, faults := make([]python.Answer, len(texts)), make([]error, len(texts))
	for i, text := range texts {
		list[i], faults[i] = python.ReadAnswer(requests[i].Set, []byte(text))
	}
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	return list
}

// Every file is in a lock once, with all that it is for.
func TestFill(t *testing.T) {
	requests := []python.Request{{Set: "python"}, {Set: "python@blackwell"}}
	const torch, sam = `{"name": "torch", "version": "2", "file": "torch.whl", "url": "u", "size": 3, "sha256": "s", "unpacked": 9}`, `{"name": "sam", "version": "0", "url": "git+x"}`
	const wheel, cython = `{"name": "wheel", "version": "1", "file": "wheel.whl"}`, `{"name": "cython", "version": "3", "file": "cython.whl"}`
	var l lock.Lock
	python.Fill(&l, requests, answers(
		t, requests,
		`{"distributions": [`+torch+`,`+sam+`,`+wheel+`], "builds": {"sam": [`+wheel+`,`+cython+`], "own": [`+wheel+`]}, "omitted": [{"requirement": "z", "reason": "r"}, {"requirement": "flash-attn", "reason": "no CUDA"}]}`,
		`{"distributions": [`+torch+`,`+sam+`], "builds": {"sam": [`+wheel+`]}, "omitted": [{"requirement": "a", "reason": "s"}]}`,
	))
	want := lock.Lock{
		Distributions: []lock.Distribution{
			{Name: "cython", Version: "3", File: "cython.whl", For: []string{"build:sam"}},
			{Name: "sam", Version: "0", URL: "git+x", For: []string{"python", "python@blackwell"}},
			{Name: "torch", Version: "2", File: "torch.whl", URL: "u", Size: 3, SHA256: "s", Unpacked: 9, For: []string{"python", "python@blackwell"}},
			{Name: "wheel", Version: "1", File: "wheel.whl", For: []string{"build:own", "build:sam", "build:sam@blackwell", "python"}},
		},
		Omitted: []lock.Omission{
			{Set: "python", Requirement: "flash-attn", Reason: "no CUDA"},
			{Set: "python", Requirement: "z", Reason: "r"},
			{Set: "python@blackwell", Requirement: "a", Reason: "s"},
		},
	}
	l.UV = lock.UV{} // the same for all
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
}
