package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
)

// builder is a docker buildx builder as stored on disk (docker/buildx, store/nodegroup.go).
type builder struct {
	Name, Driver string
	Nodes        []struct {
		Name, Endpoint string
		DriverOpts     map[string]string
	}
}

// dockerDirs returns the configuration directories of docker and buildx.
func dockerDirs(env func(string) string) (docker, buildx string) {
	home := env("HOME")
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	if !filepath.IsAbs(home) { // it would be in a project; in the root, nothing is found
		home = "/"
	}
	docker = cmp.Or(env("DOCKER_CONFIG"), filepath.Join(home, ".docker"))
	return docker, cmp.Or(env("BUILDX_CONFIG"), filepath.Join(docker, "buildx"))
}

const createBuilder = "create one that Lamina can use: docker buildx create --name lamina --driver docker-container --bootstrap, then --builder lamina"

// findBuilder returns the nodes of a buildx builder, in its order.
func findBuilder(name string, env func(string) string) ([]address, error) {
	docker, directory := dockerDirs(env)
	list, err := readBuilder(filepath.Join(directory, "instances", strings.ToLower(filepath.Base(name))), name, env)
	if !errors.Is(err, os.ErrNotExist) {
		return list, failure.New(failure.Usage, err)
	}
	meta := filepath.Join(docker, "contexts", "meta", digest.FromString(name).Encoded(), "meta.json")
	if _, err = os.Stat(meta); err == nil || name == "default" {
		err = fmt.Errorf("builder %q is the one built into the dockerd of that context, which merges no layers and stores none of our images", name)
		return nil, failure.WithHint(failure.New(failure.Usage, err), createBuilder)
	}
	known, _ := os.ReadDir(filepath.Join(directory, "instances")) // none where there is no directory
	var names []string
	for _, entry := range known {
		names = append(names, entry.Name())
	}
	err = failure.New(failure.Usage, fmt.Errorf("docker buildx has no builder %q", name))
	if meant := failure.Closest(name, names, failure.Distance); meant != "" {
		return nil, failure.WithHint(err, fmt.Sprintf("did you mean %q?", meant))
	}
	return nil, failure.WithHint(err, "run `docker buildx ls` to list the builders")
}

func readBuilder(path, name string, env func(string) string) ([]address, error) {
	text, err := os.ReadFile(path) //nolint:gosec // in the directory of the user's docker
	if err != nil {
		return nil, fmt.Errorf("reading builder %q: %w", name, err)
	}
	var b builder
	if err = json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("reading builder %q of %s: %w", name, path, err)
	}
	var list []address
	for _, n := range b.Nodes {
		switch b.Driver {
		case "remote":
			if err = checkAddr(n.Endpoint); err != nil {
				return nil, fmt.Errorf("builder %q: %w", name, err)
			}
			o := n.DriverOpts
			list = append(list, address{n.Endpoint, TLS{CACert: o["cacert"], Cert: o["cert"], Key: o["key"], ServerName: o["servername"]}})
		case "docker-container", "":
			query := ""
			switch {
			case n.Endpoint == "unix:///var/run/docker.sock" || n.Endpoint == env("DOCKER_HOST"):
			case strings.Contains(n.Endpoint, "://"):
				return nil, failure.WithHint(fmt.Errorf("builder %q runs in the dockerd at %s, which no docker context names", name, n.Endpoint),
					"set DOCKER_HOST to that address, or create the builder in a context: docker context create")
			case n.Endpoint != "" && n.Endpoint != "default":
				query = "?context=" + url.QueryEscape(n.Endpoint)
			}
			list = append(list, address{url: "docker-container://buildx_buildkit_" + n.Name + query})
		case "kubernetes":
			return nil, failure.WithHint(fmt.Errorf("builder %q is in Kubernetes, and Lamina does not look for its pods", name),
				"name the pod of that builder: --addr kube-pod://POD?namespace=NAMESPACE")
		default:
			return nil, failure.WithHint(fmt.Errorf("builder %q has driver %q; Lamina supports docker-container and remote", name, b.Driver), createBuilder)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("builder %q has no nodes", name)
	}
	return list, nil
}

// openCurrent opens the builder that "docker buildx use" selected, on a machine where no
// private engine can run; unfit says why.
func openCurrent(ctx context.Context, o Options, unfit error) (*Engine, error) {
	_, directory := dockerDirs(o.Env)
	var current struct{ Name string }
	text, err := os.ReadFile(filepath.Join(directory, "current")) //nolint:gosec // as above
	if err != nil || json.Unmarshal(text, &current) != nil || current.Name == "" {
		return nil, unfit
	}
	list, err := findBuilder(current.Name, o.Env)
	if err == nil {
		o.Progress("using the current builder of docker buildx, " + current.Name)
		var e *Engine
		if e, err = openGiven(ctx, o, list); err == nil {
			return e, nil
		}
	}
	return nil, errors.Join(unfit, err)
}

// isBuildx reports whether an address names a container that buildx created.
func (a address) isBuildx() bool {
	return strings.HasPrefix(a.url, "docker-container://buildx_buildkit_")
}

// without returns the addresses without those of lost engines.
func without(list []address, lost []string) []address {
	return slices.DeleteFunc(slices.Clone(list), func(a address) bool { return slices.Contains(lost, a.url) })
}
