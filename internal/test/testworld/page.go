package testworld

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"path"
	"slices"
	"strings"
)

// renew makes all pages again.
func (x *Index) renew() {
	x.world.t.Helper()
	projects := map[string][]*listed{}
	for _, l := range x.listed {
		name := normalised(l.project)
		projects[name] = append(projects[name], l)
	}
	for name, files := range projects {
		x.putPage(path.Join(x.Path, name), x.filesPage(name, files, x.up()), projectJSON{
			Meta: pageMeta{"1.1"}, Name: name, Versions: versions(files), Files: x.filesJSON(files, x.up()),
		})
	}
	names := slices.Sorted(maps.Keys(projects))
	x.putPage(x.Path, projectsPage(names), projectsJSON{pageMeta{"1.1"}, named(names)})
	x.world.put(x.linksPath(), htmlFile(x.filesPage("all", x.listed, strings.Repeat("../", strings.Count(x.Path, "/")))))
}

// up returns the relative path from a project's page to the world.
func (x *Index) up() string { return strings.Repeat("../", strings.Count(x.Path, "/")+2) }

func (x *Index) putPage(name, page string, data any) {
	f := htmlFile(page)
	if x.JSON {
		var err error
		if f.json, err = json.Marshal(data); err != nil {
			x.world.t.Fatal(err)
		}
	}
	x.world.put(name, f)
}

func htmlFile(page string) file { return file{data: []byte(page), kind: "text/html; charset=utf-8"} }

func projectsPage(names []string) string {
	links := make([]string, 0, len(names))
	for _, name := range names {
		links = append(links, fmt.Sprintf(`<a href="%s/">%s</a><br>`, name, name))
	}
	return htmlPage("Simple index", links)
}

func (x *Index) filesPage(title string, files []*listed, up string) string {
	links := make([]string, 0, len(files))
	for _, l := range files {
		links = append(links, x.link(l, up))
	}
	return htmlPage("Links for "+title, links)
}

func htmlPage(title string, links []string) string {
	return "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" + title + "</title></head><body>\n" +
		strings.Join(links, "\n") + "\n</body></html>\n"
}

// address returns an absolute address or, if so configured, one relative to the page.
func (x *Index) address(l *listed, up string) string {
	if x.Relative {
		return up + escapedPath(x.FilePath(l.name))
	}
	return x.FileURL(l.name)
}

func (x *Index) link(l *listed, up string) string {
	href := x.address(l, up)
	if !x.NoHashes {
		href += "#sha256=" + l.sha256
	}
	attributes := attribute("href", href)
	if l.requiresPython != "" {
		attributes += attribute("data-requires-python", l.requiresPython)
	}
	if l.yanked != "" {
		attributes += attribute("data-yanked", l.yanked)
	}
	if sum := x.metadataSum(l); sum != "" {
		attributes += attribute("data-dist-info-metadata", "sha256="+sum) + attribute("data-core-metadata", "sha256="+sum)
	}
	return fmt.Sprintf("<a%s>%s</a><br>", attributes, html.EscapeString(l.name))
}

func attribute(name, value string) string {
	return fmt.Sprintf(` %s="%s"`, name, html.EscapeString(value))
}

func (x *Index) metadataSum(l *listed) string {
	if !x.Metadata || l.metadata == "" {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(l.metadata)))
}
