package uv

import (
	"fmt"
	"testing"

	"lamina.build/lock"
)

// filled returns the entries of a lock, as "NAME VERSION [SETS]".
func filled(o Options, answers ...answer) (lines []string, l lock.Lock) {
	fill(&l, o, answers)
	for _, d := range l.Distributions {
		lines = append(lines, fmt.Sprintf("%s %s %v", d.Name, d.Version, d.For))
	}
	return lines, l
}

func file(name, version, file string) *distribution {
	d := &distribution{Name: name, Version: version, Kind: kindSdist, File: file, URL: "https://files.example/" + file, Hashes: map[string]string{"sha256": sumOf([]byte(file))}}
	if len(file) > 4 && file[len(file)-4:] == ".whl" {
		d.Kind, d.wheel = kindWheel, &wheel{Unpacked: 7, Top: []string{name}}
	}
	return d
}

func TestFill(t *testing.T) {
	o := Options{Requests: []Request{{Set: lock.ParseSet("python")}, {Set: lock.ParseSet("python@blackwell")}}, uv: lock.UV{Version: "0.13.9"}}
	numpy := file("numpy", "1.26", "numpy-1.26-py3-none-any.whl")
	numpy.Index, numpy.Size = "https://pypi.example/simple", 5
	one := answer{
		Distributions: []*distribution{numpy, file("torch", "2.6", "torch-2.6-py3-none-any.whl"), file("sdist", "1.0", "sdist-1.0.tar.gz")},
		Builds:        map[string][]*distribution{"sdist": {file("setuptools", "70", "setuptools-70-py3-none-any.whl"), numpy}, "native": {numpy}, "alone": {}},
	}
	two := answer{
		Distributions: []*distribution{numpy, file("torch", "2.8", "torch-2.8-py3-none-any.whl")},
		Builds:        map[string][]*distribution{"native": {numpy}},
	}
	two.Omitted = []omission{{"flash-attn", "no wheel"}}
	lines, l := filled(o, one, two)
	equal(t, "entries", lines, []string{
		"numpy 1.26 [build:native build:native@blackwell build:sdist python python@blackwell]",
		"sdist 1.0 [python]", "setuptools 70 [build:sdist]", "torch 2.6 [python]", "torch 2.8 [python@blackwell]",
	})
	equal(t, "omitted", l.Omitted, []lock.Omission{{Set: lock.ParseSet("python@blackwell"), Requirement: "flash-attn", Reason: "no wheel"}})
	equal(t, "uv", l.UV.Version, "0.13.9")
	equal(t, "numpy", l.Distributions[0], lock.Distribution{
		Name: "numpy", Version: "1.26", File: "numpy-1.26-py3-none-any.whl", URL: numpy.URL, Size: 5, SHA256: numpy.Hashes["sha256"], Unpacked: 7,
		Index: "https://pypi.example/simple", Top: []string{"numpy"}, For: l.Distributions[0].For,
	})
}

func TestLocksWithoutDistributionsHaveNoUV(t *testing.T) {
	lines, l := filled(Options{Requests: []Request{{Set: lock.ParseSet("python")}}, uv: lock.UV{Version: "0.13.9"}}, answer{Builds: map[string][]*distribution{"native": {}}})
	if lines != nil || l.UV != (lock.UV{}) {
		t.Errorf("%q, %+v", lines, l.UV)
	}
}

// Known builds of the earlier lock stay, for each variant.
func TestFillKeepsKnownBuilds(t *testing.T) {
	sam := &distribution{Name: "sam", Version: "1.0", Kind: kindGit, URL: commitOf("sam").URL}
	old := before()
	old.Distributions = append(old.Distributions, dist("cython", "3.0", "cython-3.0-py3-none-any.whl", "build:sam"))
	o := Options{Before: old, Requests: []Request{{Set: lock.ParseSet("python")}, {Set: lock.ParseSet("python@big")}}}
	lines, _ := filled(o, answer{Distributions: []*distribution{file("sdist", "1.0", "sdist-1.0.tar.gz"), sam}}, answer{Distributions: []*distribution{file("sdist", "2.0", "sdist-2.0.tar.gz")}})
	equal(t, "entries", lines, []string{
		"cython 3.0 [build:sam]", "numpy 1.26.4 [build:sdist build:sdist@big]", "sam 1.0 [python]",
		"sdist 1.0 [python]", "sdist 2.0 [python@big]", "setuptools 70.0 [build:sdist]", "wheel 0.43 [build:sdist@big]",
	})
	// A build that was resolved again has the new requirements.
	lines, _ = filled(o, answer{
		Distributions: []*distribution{file("sdist", "1.0", "sdist-1.0.tar.gz")},
		Builds:        map[string][]*distribution{"sdist": {file("setuptools", "80", "setuptools-80-py3-none-any.whl")}},
	}, answer{})
	equal(t, "anew", lines, []string{"sdist 1.0 [python]", "setuptools 80 [build:sdist]"})
	// Another file of the same name is not known.
	lines, _ = filled(o, answer{Distributions: []*distribution{file("sdist", "1.1", "sdist-1.1.tar.gz")}}, answer{})
	equal(t, "another file", lines, []string{"sdist 1.1 [python]"})
}
