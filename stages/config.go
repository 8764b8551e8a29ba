package stages

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
)

// config returns the image's config: how to run a container of it. It holds no date but the
// lock's, no commit and nothing about the machine. Its history has one entry per layer, with
// the same date, which says what is in it.
func config(in Input, parts []Part) (config dockerspec.DockerOCIImage) {
	created := in.Lock.Created()
	config.Created, config.Platform = &created, in.Platform
	config.RootFS.Type = "layers"
	// The path is Debian's own for root.
	config.Config.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, env(in)...)
	config.Config.Labels = labels(in)
	config.Config.Healthcheck = in.Healthcheck
	config.Config.Volumes = set(in.Volumes)
	for _, p := range parts {
		for _, l := range p.Layers {
			config.History = append(config.History, ocispec.History{Created: &created, CreatedBy: "lamina " + p.Stage, Comment: l.What})
		}
	}
	if in.App == nil {
		config.Config.Cmd = []string{"/usr/bin/python3"}
		return config
	}
	config.Config.Entrypoint = in.App.Entrypoint
	config.Config.Cmd = in.App.Command
	config.Config.WorkingDir = in.App.Workdir
	config.Config.StopSignal = in.App.StopSignal
	config.Config.User = in.App.User.Name // a package gives it its number
	if in.App.FirstStart {
		config.Config.User, config.Config.Entrypoint = "", slices.Concat(in.App.firstStart(), in.App.Entrypoint)
	} else if in.App.User.UID != 0 { // numeric, so that Kubernetes sees that it is not root
		config.Config.User = fmt.Sprintf("%[1]d:%[1]d", in.App.User.UID)
	}
	ports := make([]string, len(in.App.Ports))
	for i, port := range in.App.Ports {
		ports[i] = strconv.Itoa(port) + "/tcp"
	}
	config.Config.ExposedPorts = set(ports)
	return config
}

// set returns a list in the form of configs; nil if it is empty.
func set(list []string) map[string]struct{} {
	if len(list) == 0 {
		return nil
	}
	set := map[string]struct{}{}
	for _, one := range list {
		set[one] = struct{}{}
	}
	return set
}

// env returns the environment of the container without PATH, as "KEY=value", sorted:
// defaults for a Python GPU service, the paths of models, and the app's own variables,
// which win. NVIDIA_REQUIRE_CUDA is left unset: it keeps containers from starting on
// hosts where they would work.
func env(in Input) []string {
	env := map[string]string{
		"LANG":                       "C.UTF-8",
		"PYTHONUNBUFFERED":           "1",
		"PYTHONDONTWRITEBYTECODE":    "1",
		"NVIDIA_VISIBLE_DEVICES":     "all",
		"NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
	}
	for _, m := range in.Models {
		maps.Copy(env, m.env())
	}
	if in.App != nil {
		maps.Copy(env, in.App.Env)
	}
	list := make([]string, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		list = append(list, key+"="+env[key])
	}
	return list
}

func labels(in Input) map[string]string {
	labels := map[string]string{
		ocispec.AnnotationTitle:    in.Title,
		ocispec.AnnotationVersion:  in.Version,
		ocispec.AnnotationLicenses: in.Licenses,
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	maps.Copy(labels, in.Labels)
	return labels
}

// firstStart returns the command with which root makes what packages make for one machine, and
// becomes the app's user.
func (a *App) firstStart() []string {
	if a.User.Name == "" {
		return []string{llb.FirstStart}
	}
	return []string{llb.FirstStart, "--user", a.User.Name}
}
