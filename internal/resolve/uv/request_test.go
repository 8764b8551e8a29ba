package uv

import (
	"strings"
	"testing"
)

func TestNamedIndexes(t *testing.T) {
	r := Request{
		Files: requirements(t, map[string]string{
			"requirements.txt": "-i https://own.example\n--extra-index-url https://more.example\n-f https://links.example/x.html\n-f wheels\n", "wheels/a.whl": "",
		}),
		Indexes: []Index{{URL: "https://bound.example"}}, Project: "app", ProjectFiles: []string{"app/pyproject.toml", "uv.toml", "app/uv.lock"},
	}
	got := r.Named(directory(map[string]string{
		"app/pyproject.toml": "[[tool.uv.index]]\nurl = \"https://project.example\"\n[[tool.uv.index]]\nurl = \"wheels\"\n",
		"uv.toml":            "[[index]]\nurl = \"https://settings.example\"\n",
		"app/uv.lock":        "source = { registry = \"https://pypi.org/simple\" }\n", // which a mirror stands in for
	}))
	equal(t, "indexes", got, []string{"https://more.example", "https://links.example/x.html", "https://project.example", "https://settings.example", "https://bound.example", "https://own.example"})
}

func TestLines(t *testing.T) {
	sum := strings.Repeat("0", 64)
	r := Request{Files: requirements(t, map[string]string{
		"requirements.txt": "torch == 2 --hash=sha256:" + sum + "\n--pre\n-i https://${TOKEN}@i/\n-f wheels\na\n--extra-index-url https://x\n", "wheels/a.whl": "",
		"constraints.txt": "torch==2\n--no-binary=a\n",
	})}
	equal(t, "lines", r.Lines(), []string{
		"--extra-index-url https://x", "--find-links wheels", "--index-url https://i", "--no-binary=a", "--pre",
		"-c torch==2", "a", "torch==2 --hash=sha256:" + sum,
	})
	r.Files = requirements(t, map[string]string{"requirements.txt": "--no-index\n-f wheels\n", "wheels/a.whl": ""})
	equal(t, "without an index", r.Lines(), []string{"--find-links wheels", "--no-index"})
	equal(t, "nothing", Request{}.Lines(), []string(nil))
}
