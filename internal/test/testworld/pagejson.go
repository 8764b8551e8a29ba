package testworld

import (
	"maps"
	"slices"
)

const jsonPage = "application/vnd.pypi.simple.v1+json"

type (
	pageMeta struct {
		APIVersion string `json:"api-version"`
	}
	projectsJSON struct {
		Meta     pageMeta      `json:"meta"`
		Projects []projectName `json:"projects"`
	}
	projectName struct {
		Name string `json:"name"`
	}
	projectJSON struct {
		Meta     pageMeta   `json:"meta"`
		Name     string     `json:"name"`
		Versions []string   `json:"versions"`
		Files    []fileJSON `json:"files"`
	}
	// fileJSON has metadata under the two names that PyPI uses: a third one,
	// dist-info-metadata, breaks pip 23.0.
	fileJSON struct {
		Filename       string            `json:"filename"`
		URL            string            `json:"url"`
		Hashes         map[string]string `json:"hashes"`
		RequiresPython string            `json:"requires-python,omitempty"`
		Size           int64             `json:"size"`
		Yanked         any               `json:"yanked"`
		CoreMetadata   map[string]string `json:"core-metadata,omitempty"`
		DataMetadata   map[string]string `json:"data-dist-info-metadata,omitempty"`
	}
)

func named(names []string) []projectName {
	list := make([]projectName, 0, len(names))
	for _, name := range names {
		list = append(list, projectName{name})
	}
	return list
}

func versions(files []*listed) []string {
	set := map[string]bool{}
	for _, l := range files {
		set[l.version] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func (x *Index) filesJSON(files []*listed, up string) []fileJSON {
	list := make([]fileJSON, 0, len(files))
	for _, l := range files {
		list = append(list, x.fileJSON(l, up))
	}
	return list
}

func (x *Index) fileJSON(l *listed, up string) fileJSON {
	f := fileJSON{
		Filename: l.name, URL: x.address(l, up), Hashes: map[string]string{}, RequiresPython: l.requiresPython,
		Size: l.size, Yanked: false,
	}
	if !x.NoHashes {
		f.Hashes["sha256"] = l.sha256
	}
	if l.yanked != "" {
		f.Yanked = l.yanked
	}
	if sum := x.metadataSum(l); sum != "" {
		f.CoreMetadata = map[string]string{"sha256": sum}
		f.DataMetadata = f.CoreMetadata
	}
	return f
}
