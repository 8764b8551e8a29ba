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
		Indexes: []Index{{URL: "https://bound.example"}}, Project: "app",
		Uses: ProjectIndexes{Named: []string{"https://project.example"}, URLs: []string{"https://project.example", "https://pypi.org/simple"}}, // a mirror stands in for that of its uv.lock
	}
	equal(t, "indexes", r.Named(), []string{"https://more.example", "https://links.example/x.html", "https://project.example", "https://bound.example", "https://own.example"})
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
