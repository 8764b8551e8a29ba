package uv

import "testing"

func TestNamedIndexes(t *testing.T) {
	r := Request{
		Files: wishes(t, map[string]string{
			"requirements.txt": "-i https://own.example\n--extra-index-url https://more.example\n-f https://links.example/x.html\n-f wheels\n", "wheels/a.whl": "",
		}),
		Indexes: []Index{{URL: "https://bound.example"}}, Project: "app", ProjectFiles: []string{"app/pyproject.toml", "app/uv.lock"},
	}
	got := r.Named(folder(map[string]string{
		"app/pyproject.toml": "[[tool.uv.index]]\nurl = \"https://project.example\"\n[[tool.uv.index]]\nurl = \"wheels\"\n",
		"app/uv.lock":        "source = { registry = \"https://pypi.org/simple\" }\n", // which a mirror stands in for
	}))
	equal(t, "indexes", got, []string{"https://more.example", "https://links.example/x.html", "https://project.example", "https://bound.example", "https://own.example"})
}
