package clients

import (
	"encoding/json"
	"fmt"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/output"
)

var (
	place   = regexp.MustCompile(`^(saved in|pushed to) `)
	command = regexp.MustCompile(`^  (digest|docker|podman|ctr|skopeo) +(.*)$`)
	digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
)

// Each command that a summary prints works, those for podman as an ordinary user, too, and its
// image has the names, and the digest or the ID, of the built one.
func TestRealPrintedCommands(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "clients" {
		t.Skip("LAMINA_REAL=clients runs the commands that summaries print")
	}
	dir := e2etest.PythonProject(t, `
[[model]]
from = "dir:weights"
path = "/models/m"
[app]
source = "app"
[variant.other]
weights = "none"
`, map[string]string{"app/main.py": "", "weights/m.safetensors": strings.Repeat("weight", 1<<20)})
	registry := testworld.NewRegistry(t, testworld.RegistryOptions{}).Host
	address, _ := testworld.ServeTLS(t, testworld.Away(t)+":0", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry}))
	strange := strings.TrimPrefix(address, "https://") // its certificate isn't trusted
	m, seen := start(t), map[string]bool{}
	for _, tt := range []struct {
		name  string
		args  []string
		names []string
		runs  string // the clients of each place
	}{
		{"no names", []string{"-o", "type=oci", "-o", "type=oci,dest=a.tar", "-o", "type=docker,dest=d.tar"}, []string{"faceblend:production"}, "docker podman ctr skopeo, docker podman ctr, docker podman ctr skopeo"},
		{"another variant", []string{"--variant", "other"}, []string{"faceblend:other"}, "docker podman ctr skopeo"},
		{
			"names",
			[]string{"-t", "a:1", "-t", registry + "/b:2", "-o", "type=oci", "-o", "type=oci,dest=a.tar", "-o", "type=docker,dest=d.tar"},
			[]string{"a:1", registry + "/b:2"},
			"docker podman ctr skopeo, docker podman ctr, docker podman ctr skopeo",
		},
		{"odd places", []string{"-o", "type=oci,dest=a:b,tar=false", "-o", "type=oci,dest=It's a:b.tar", "-o", "type=docker,dest=D:d.tar"}, []string{"faceblend:production"}, "docker podman ctr, docker podman ctr, docker podman ctr"},
		{"an odd directory", []string{"-o", "type=oci,dest=It's Mine,tar=false,compression=gzip"}, []string{"faceblend:production"}, "docker podman ctr skopeo"},
		{"pushed", []string{"-t", registry + "/c:1", "--push"}, []string{registry + "/c:1"}, "docker podman ctr"},
		{"pushed as gzip", []string{"-t", registry + "/d:1", "-o", "type=image,push=true,compression=gzip"}, []string{registry + "/d:1"}, "docker podman ctr"},
		{"pushed to an untrusted registry", []string{"-t", strange + "/e:1", "--push", "--insecure-registry"}, []string{strange + "/e:1"}, "docker podman ctr"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metadata := filepath.Join(t.TempDir(), "metadata")
			r := m.Build(t, append([]string{dir, "--metadata-file", metadata}, tt.args...)...)
			data, err := os.ReadFile(metadata)
			var said map[string]any
			if err == nil {
				err = json.Unmarshal(data, &said)
			}
			if err != nil {
				t.Fatal(err)
			}
			m.id = fmt.Sprint(said["containerimage.config.digest"])
			var ran []string
			digest := ""
			for line := range strings.Lines(r.Stdout) {
				found := command.FindStringSubmatch(strings.TrimRight(line, "\n"))
				switch {
				case place.MatchString(line):
					ran, digest = append(ran, ","), digests.FindString(r.Stdout)
				case found == nil:
				case found[1] == "digest":
					digest = found[2]
				default:
					ran = append(ran, found[1])
					once := fmt.Sprint(found[2], digest, tt.names)
					if seen[once] { // the same as for another place
						continue
					}
					seen[once] = true
					users := []string{m.root}
					if found[1] == "podman" {
						users = append(users, m.user)
					}
					for _, m.path = range users {
						m.forget(t)
						m.runs(t, found[1], strings.Replace(found[2], "docker://REGISTRY", "--dest-tls-verify=false docker://"+registry, 1), digest, tt.names)
					}
				}
			}
			if got := strings.ReplaceAll(strings.Join(ran, " "), " ,", ","); got != ", "+tt.runs {
				t.Errorf("there are commands for %s", got)
			}
		})
	}
}

// runs runs a command that must give a client an image of a digest under some names.
func (m *machine) runs(t *testing.T, client, line, digest string, names []string) {
	t.Helper()
	t.Log(line)
	m.must(t, line)
	for _, name := range names {
		repository, tag := output.SplitName(name)
		full := repository + ":" + tag
		var got, want string
		switch client {
		case "docker":
			got, want = m.must(t, "docker image inspect --format '{{.Id}}' "+name), m.id
		case "podman":
			got, want = m.must(t, "podman image inspect --format '{{.Digest}}' "+name), digest
			if len(names) > 1 && strings.Contains(line, "d.tar") { // an archive of Docker's has no manifest
				got, want = "sha256:"+m.must(t, "podman image inspect --format '{{.Id}}' "+name), m.id
			}
		case "ctr":
			got, want = m.must(t, "ctr image ls name=="+full+" | grep -o 'sha256:[0-9a-f]*'"), digest
		case "skopeo":
			_, to, _ := strings.Cut(line, "docker://")
			got, want = m.must(t, "skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://"+to), digest
		}
		if got != want {
			t.Errorf("%s\nhas %s as %s, not as %s", line, name, got, want)
		}
	}
	if client == "ctr" && !slices.Equal(strings.Fields(m.must(t, "ctr image ls -q | wc -l")), []string{fmt.Sprint(len(names))}) {
		t.Errorf("%s: there are other images, too", line)
	}
}
