package report

import (
	"fmt"
	"regexp"
	"strings"

	"lamina.build/internal/output"
)

// write says where the image is and how to get it from there.
func (s Saved) write(b *strings.Builder, i Image) {
	fmt.Fprintf(b, "\n%s\n", s.where())
	for _, l := range s.load(i) {
		fmt.Fprintf(b, "  %-7s %s\n", l.tool, l.command)
	}
}

func (s Saved) where() string {
	switch {
	case s.Type == output.Image && s.Push:
		return "pushed to " + strings.Join(s.Names, ", ")
	case s.Type == output.Image:
		return "kept by the engine as " + strings.Join(s.Names, ", ")
	case s.ToStdout():
		return "written to the standard output"
	case s.Tag != "":
		return fmt.Sprintf("saved in %s, tag %s", s.Dest, s.Tag)
	}
	return "saved in " + s.Dest
}

type loading struct{ tool, command string }

// load lists the commands that bring the image to where it can run. Docker
// gets it through skopeo, which unpacks zstd on the way, or as an archive of
// its own kind: the Docker of Debian 12 can load neither zstd nor OCI layouts.
func (s Saved) load(i Image) []loading {
	name := i.reference()
	switch {
	case s.ToStdout():
		return nil
	case s.Layout():
		from := word("oci:" + s.Dest + ":" + s.Tag)
		return []loading{
			{"docker", fmt.Sprintf("skopeo copy %s docker-daemon:%s", from, name)},
			{"", "or build again with -o type=docker,dest=- | docker load"},
			{"podman", "podman pull " + from},
			{"skopeo", fmt.Sprintf("skopeo copy %s %s", from, remote(name))},
		}
	case s.Type == output.OCI:
		from := word("oci-archive:" + s.Dest)
		return []loading{
			{"docker", fmt.Sprintf("skopeo copy %s docker-daemon:%s", from, name)},
			{"podman", "podman load -i " + word(s.Dest)},
			{"skopeo", fmt.Sprintf("skopeo copy %s %s", from, remote(name))},
		}
	case s.Type == output.Docker:
		return []loading{
			{"docker", "docker load -i " + word(s.Dest)},
			{"podman", "podman load -i " + word(s.Dest)},
			{"skopeo", fmt.Sprintf("skopeo copy %s %s", word("docker-archive:"+s.Dest), remote(name))},
		}
	case s.Type == output.Image && s.Push && len(s.Names) > 0:
		return []loading{
			{"docker", "docker pull " + s.Names[0]},
			{"podman", "podman pull " + s.Names[0]},
			{"skopeo", "skopeo inspect docker://" + s.Names[0]},
		}
	}
	return nil
}

// reference is what to call the image where it is loaded.
func (i Image) reference() string {
	if names := i.names(); len(names) > 0 {
		return names[0]
	}
	return i.Name + ":" + i.Variant
}

// remote is where skopeo would push the image to. A name without a registry
// gets a place holder: skopeo would take Docker Hub.
func remote(name string) string {
	host, _, found := strings.Cut(name, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		name = "REGISTRY/" + name
	}
	return "docker://" + name
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// word quotes s for a shell where that is needed.
func word(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
