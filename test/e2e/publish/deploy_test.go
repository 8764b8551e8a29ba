package publish

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
)

// object has the checked parts of a Kubernetes object.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		ServiceName string
		Selector    json.RawMessage
		PodSelector json.RawMessage
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []struct {
					Image        string
					Args         []string
					VolumeMounts []struct{ Name, MountPath string }
				}
				Volumes []struct{ Name string }
			}
		}
		VolumeClaimTemplates []struct{ Metadata struct{ Name string } }
	}
}

// The deployment matches Kubernetes' schemas, field by field, has the private engine's
// configuration, and its parts refer to each other.
func TestDeployment(t *testing.T) {
	file := filepath.Join(e2etest.Root(t), "deploy", "kubernetes", "buildkitd.yaml")
	out, err := e2etest.Schemas(t, ".", "kubernetes", file)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	objects := map[string]object{}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var o object
		if err = d.Decode(&o); err != nil {
			t.Fatal(err)
		}
		objects[o.Kind] = o
	}
	if got := objects["ConfigMap"].Data["buildkitd.toml"]; got != engine.Config() {
		t.Errorf("the configuration differs from that of \"build engine config\":\n%s", got)
	}
	set := objects["StatefulSet"].Spec
	labels, err := json.Marshal(set.Template.Metadata.Labels)
	if err != nil {
		t.Fatal(err)
	}
	for kind, selector := range map[string]string{
		"Service": string(objects["Service"].Spec.Selector), "StatefulSet": string(set.Selector),
		"PodDisruptionBudget": string(objects["PodDisruptionBudget"].Spec.Selector), "NetworkPolicy": string(objects["NetworkPolicy"].Spec.PodSelector),
	} {
		if want := string(labels); selector != want && selector != `{"matchLabels":`+want+`}` {
			t.Errorf("%s selects %s, but the pods have the labels %s", kind, selector, want)
		}
	}
	if set.ServiceName != objects["Service"].Metadata.Name {
		t.Errorf("the set names the service %q, which is %q", set.ServiceName, objects["Service"].Metadata.Name)
	}
	pod := set.Template.Spec
	if len(pod.Containers) != 1 || pod.Containers[0].Image != "moby/buildkit:"+engine.Version+"-rootless" {
		t.Fatalf("the containers are %+v, but the private engine is %s", pod.Containers, engine.Version)
	}
	volumes, mounted := map[string]bool{}, ""
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range set.VolumeClaimTemplates {
		volumes[v.Metadata.Name] = true
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %q", m.Name)
		}
		mounted += " " + m.MountPath + "/"
	}
	for _, arg := range pod.Containers[0].Args {
		if _, name, ok := strings.Cut(arg, "=/"); ok && !strings.Contains(mounted, " /"+filepath.Dir(name)+"/") {
			t.Errorf("%s is in no volume of%s", arg, mounted)
		}
	}

	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	for old, replacement := range map[string]string{"maxUnavailable": "maxUnavailible", "replicas: 2": "replicas: two", "kind: Service\n": "kind: Servise\n"} {
		e2etest.Write(t, wrong, []byte(strings.Replace(string(data), old, replacement, 1)))
		if out, err := e2etest.Schemas(t, ".", "kubernetes", wrong); err == nil {
			t.Errorf("with %s it passes:\n%s", replacement, out)
		}
	}
}
