package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/internal/requirements"
	"lamina.build/lock"
)

// answer is what the scripts say to a question.
type answer struct {
	Distributions []distribution            `json:"distributions"`
	Builds        map[string][]distribution `json:"builds"` // what each project is built with
	Omitted       []struct {
		Requirement string `json:"requirement"`
		Reason      string `json:"reason"`
	} `json:"omitted"`
	Fault *struct {
		Kind    string   `json:"kind"`
		Message string   `json:"message"`
		Hint    string   `json:"hint"`
		Host    string   `json:"host"`  // that asks for a login
		Lines   []string `json:"lines"` // of the question, that it is about
	} `json:"fault"`
}

type distribution struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	File     string `json:"file"`
	URL      string `json:"url"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Unpacked int64  `json:"unpacked"`
}

func (d distribution) entry(sets ...string) lock.Distribution {
	return lock.Distribution{
		Name: d.Name, Version: d.Version, File: d.File, URL: d.URL,
		Size: d.Size, SHA256: d.SHA256, Unpacked: d.Unpacked, For: sets,
	}
}

// read turns the text of an answer into a value, or into the error it is.
func (q question) read(set string, data []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("%s: reading the answer of pip: %w", set, err)
	}
	if a.Fault == nil {
		return a, a.enemies(set)
	}
	kinds := map[string]fault.Kind{"usage": fault.Usage, "transient": fault.Transient}
	err := fmt.Errorf("%s%s: %s", q.at(a.Fault.Lines), set, strings.TrimSpace(a.Fault.Message))
	if kind, ok := kinds[a.Fault.Kind]; ok {
		err = fault.New(kind, err)
	}
	if a.Fault.Hint == "" {
		return a, err
	}
	return a, fault.WithHint(err, a.Fault.Hint)
}

// enemies refuses projects that overwrite each other's files.
func (a answer) enemies(set string) error {
	names := make([]string, len(a.Distributions))
	for i, d := range a.Distributions {
		names[i] = d.Name
	}
	enemies := requirements.Enemies(names)
	faults := make([]error, 0, len(enemies))
	for _, err := range enemies {
		faults = append(faults, fmt.Errorf("%s: %w", set, err))
	}
	return fault.New(fault.Usage, errors.Join(faults...))
}

// fill puts the answers of all requests into a lock, every file once.
func fill(l *lock.Lock, requests []Request, answers []answer) {
	sets := map[distribution][]string{}
	for i, a := range answers {
		_, variant, own := strings.Cut(requests[i].Set, "@")
		if own {
			variant = "@" + variant
		}
		for _, d := range a.Distributions {
			sets[d] = append(sets[d], requests[i].Set)
		}
		for project, list := range a.Builds {
			for _, d := range list {
				sets[d] = append(sets[d], lock.BuildSet(project)+variant)
			}
		}
		for _, o := range a.Omitted {
			l.Omitted = append(l.Omitted, lock.Omission{Set: requests[i].Set, Requirement: o.Requirement, Reason: o.Reason})
		}
	}
	for d, in := range sets {
		l.Distributions = append(l.Distributions, d.entry(in...))
	}
	if len(sets) > 0 {
		l.UV = uv(l.Platform)
	}
	l.Sort()
}

// uv is the wheel of what installs the wheels.
func uv(platform string) lock.UV {
	const files = "https://files.pythonhosted.org/packages/"
	if strings.HasPrefix(platform, "linux/arm64") {
		const file = "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl"
		return lock.UV{
			Version: "0.13.9", File: file, URL: files + "57/15/94b6cd62ac3ff6550288328e8035288875197cbc183f51554b266a69877b/" + file,
			Size: 18026789, SHA256: "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
		}
	}
	const file = "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl"
	return lock.UV{
		Version: "0.13.9", File: file, URL: files + "fe/fe/794884de0efd3ac77a427cab21aa72c0483e100c55a42cd5cbb02c141b84/" + file,
		Size: 19295638, SHA256: "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
	}
}
