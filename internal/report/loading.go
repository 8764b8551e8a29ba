package report

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"lamina.build"

	"lamina.build/output"
)

// loading lists the commands that load an image where it can run, the best one for each
// client. They work with the clients of Debian 12, and the image keeps its name there, and
// its digest or ID. usual is the default name; index means that there are several images.
func loading(s lamina.Saved, usual string, again []string, index bool) string {
	l := loader{Saved: s, again: words(again), index: index}
	if len(s.Names) == 0 {
		l.Names = []string{usual}
	}
	for _, name := range l.Names {
		repository, tag := output.SplitName(name)
		if _, digest, ok := strings.Cut(name, "@"); ok { // which only the build determines
			l.full = append(l.full, repository+"@"+digest)
			continue
		}
		full := repository + ":" + tag
		if slices.Contains(l.full, full) {
			continue
		}
		l.full = append(l.full, full)
		if len(l.Names) > 1 || name != usual {
			l.again += " -t " + shellWord(name)
		}
	}
	var b strings.Builder
	for _, c := range l.commands() {
		fmt.Fprintf(&b, "  %-7s %s\n", c.client, c.line)
	}
	return b.String()
}

type command struct{ client, line string }

type loader struct {
	lamina.Saved

	full  []string // Names with all defaults
	again string   // the command that builds the image again, with its names
	index bool     // there are images for several platforms
}

func (l loader) commands() []command {
	switch {
	case l.ToStdout(), l.Loads():
		return nil
	case l.Layout():
		return l.directory()
	case l.Type == output.OCI:
		return append([]command{
			{"docker", l.piped(output.Docker, "docker load")},
			{"podman", l.podmanLoad() + l.also("podman tag")},
			{"ctr", "ctr image import " + shellWord(l.Dest) + l.also("ctr image tag --force")},
		}, l.copied("oci-archive:"+l.Dest)...)
	case l.Type == output.Docker: // copying it to a registry would change the manifest
		file := shellWord(l.Dest)
		return []command{{"docker", "docker load -i " + file}, {"podman", l.podmanLoad()}, {"ctr", "ctr image import " + file}}
	case l.Push:
		return l.pulled()
	}
	return nil
}

func (l loader) podmanLoad() string {
	if hasColon(l.Dest) {
		return "podman load < " + shellWord(l.Dest)
	}
	return "podman load -i " + shellWord(l.Dest)
}

// directory returns the commands for a layout. Docker and ctr can't read one, and podman
// would name the image after the directory.
func (l loader) directory() []command {
	podman := l.piped(output.OCI, "podman load")
	if !hasColon(l.Dest) {
		podman = "skopeo copy " + shellWord("oci:"+l.Dest+":"+l.Tag) + " containers-storage:" + l.full[0]
	}
	return append([]command{
		{"docker", l.piped(output.Docker, "docker load")},
		{"podman", podman + l.also("podman tag")},
		{"ctr", l.piped(output.OCI, "ctr image import -") + l.also("ctr image tag --force")},
	}, l.copied("oci:"+l.Dest+":"+l.Tag)...)
}

// pulled returns the commands for a registry. An insecure one requires a setting of Docker's
// and containerd's daemon, so the image is built again instead.
func (l loader) pulled() []command {
	docker, ctr := "docker pull "+l.Names[0], "ctr image pull "+l.full[0]
	if l.Insecure && !isLocal(l.full[0]) {
		docker, ctr = l.piped(output.Docker, "docker load"), l.piped(output.OCI, "ctr image import -")+l.also("ctr image tag --force")
	} else if l.Compression == "" || l.Compression == output.Zstd {
		docker = l.piped(output.Docker, "docker load") // Docker reads zstd since 23.0
	}
	podman := "podman pull "
	if l.Insecure || isLocal(l.full[0]) {
		podman += "--tls-verify=false "
	}
	return []command{{"docker", docker}, {"podman", podman + l.full[0]}, {"ctr", ctr}}
}

// piped builds the image again as an archive for a client. Docker can load neither an OCI
// layout nor zstd layers.
func (l loader) piped(as output.Type, into string) string {
	line := fmt.Sprintf("%s -o type=%s,dest=-", l.again, as)
	if as == output.OCI && l.Compression != "" {
		line += ",compression=" + string(l.Compression)
	}
	return line + " | " + into
}

// also gives a loaded image its further names: an archive of an OCI layout has only one.
func (l loader) also(tag string) string {
	if len(l.full) == 1 {
		return ""
	}
	return " && " + tag + " " + strings.Join(l.full, " ")
}

// copied pushes an image unchanged with skopeo, which would otherwise compress weights.
func (l loader) copied(from string) []command {
	if hasColon(l.Dest) {
		return nil
	}
	line, to := "skopeo copy --preserve-digests ", "REGISTRY/"+l.Names[0] // skopeo's default is Docker Hub
	if n := slices.IndexFunc(l.Names, hasRegistry); n >= 0 {
		to = l.Names[n]
	}
	if l.index {
		line += "--all "
	}
	if isLocal(to) {
		line += "--dest-tls-verify=false "
	}
	return []command{{"skopeo", line + shellWord(from) + " docker://" + to}}
}

// hasColon reports whether skopeo and podman would parse a part of a path as a tag.
func hasColon(path string) bool { return strings.Contains(path, ":") }

// isLocal reports whether the registry of a name is on this machine: all clients but podman
// and skopeo use plain HTTP for it.
func isLocal(name string) bool {
	registry, _, _ := strings.Cut(name, "/")
	host := (&url.URL{Host: registry}).Hostname()
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// hasRegistry reports whether a name includes its registry.
func hasRegistry(name string) bool {
	host, _, found := strings.Cut(name, "/")
	return found && (strings.ContainsAny(host, ".:") || host == "localhost")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord quotes s for a shell if needed.
func shellWord(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func words(list []string) string {
	list = slices.Clone(list)
	for i := range list {
		list[i] = shellWord(list[i])
	}
	return strings.Join(list, " ")
}
