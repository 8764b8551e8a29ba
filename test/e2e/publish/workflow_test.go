package publish

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/sigstoretest"
	"lamina.build/internal/test/testworld"
)

// actionlint checks GitHub's syntax of workflows, and our action's inputs.
func TestWorkflowIsOne(t *testing.T) {
	root := e2etest.Root(t)
	names, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	lint := []string{"tool", "actionlint", "-no-color", "-shellcheck=", "-pyflakes="}
	out, err := e2etest.Schemas(t, append(lint, names...)...)
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.yml")
	e2etest.Write(t, wrong, []byte(strings.Replace(string(data), "inputs.repository", "inputs.repositry", 1)))
	if out, err = e2etest.Schemas(t, append(lint, wrong)...); err == nil || !strings.Contains(out, "repositry") {
		t.Errorf("a misspelt input passes: %v, %s", err, out)
	}
}

// The commands of the workflow that publishes Wan, unchanged, publish another project with
// weights of a hub, on runners that share only artifacts, and sign by the identity of the workflow,
// which only jobs that may request one get. Its last job builds a base from
// nothing, and isn't part of the usual run.
func TestRealWorkflow(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("hosted runners have jq, this machine doesn't")
	}
	var flow workflow
	readYAML(t, ".github/workflows/publish-wan.yml", &flow)
	u := e2etest.NewUser(t)
	hub := testworld.New(t).Hub(testworld.HubOptions{Token: "hf_" + e2etest.Secret})
	hub.Repo("Wan-AI/Tiny", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{
		"model.safetensors": testworld.Large(testworld.Generated(20, 3_000_000)), "config.json": testworld.Small("{}"),
	})
	registry := testworld.NewRegistry(t, testworld.RegistryOptions{Referrers: true, User: "me", Password: e2etest.Secret})
	project := t.TempDir()
	for name, text := range map[string]string{
		"image.toml": `name = "tiny"
[debian]
packages = []
[[model]]
from = "hf://Wan-AI/Tiny@main"
path = "/models/tiny"
[app]
source = "app"
path = "/app"
entrypoint = ["/app/run"]
`,
		"app/run": "#!/bin/sh\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(project, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, filepath.Join(project, name), []byte(text))
	}
	values := map[string]string{
		"inputs.directory": "examples/wan22-animate", "inputs.repository": registry.Host + "/acme", "inputs.variants": `["production", "minimal"]`,
		"secrets.REGISTRY_USER": "me", "secrets.REGISTRY_PASSWORD": e2etest.Secret, "secrets.HF_TOKEN": "hf_" + e2etest.Secret,
	}
	artifacts := t.TempDir()
	values["github.server_url"], values["github.workflow_ref"] = "https://github.example", "acme/images/.github/workflows/publish-wan.yml@refs/heads/main"
	s := sigstoretest.New(t, values["github.server_url"]+"/"+values["github.workflow_ref"], "token."+e2etest.Secret)
	s.Issuer = "https://token.actions.githubusercontent.com"
	trusted := filepath.Join(t.TempDir(), "trusted_root.json")
	e2etest.Write(t, trusted, s.TrustedRoot(false))
	start := func(t *testing.T, j workflowJob) *runner {
		r := &runner{
			T: t, values: maps.Clone(values), dir: t.TempDir(), files: t.TempDir(), project: project, artifacts: artifacts,
			// The command is already compiled, and sigstore's servers are those of the test.
			inputs: map[string]string{"command": e2etest.Program(t), "flags": "--fulcio-url=" + s.URL + "\n--rekor-url=" + s.URL},
			more:   map[string]string{"SIGNER": " --trusted-root=" + trusted},
		}
		r.values["runner.temp"] = t.TempDir()
		r.env = map[string]string{
			"RUNNER_TEMP": r.values["runner.temp"], "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": r.dir, "PATH": os.Getenv("PATH"),
			"HOME": t.TempDir(), "XDG_CACHE_HOME": u.Cache, "BUILDKIT_HOST": u.Addr, "HF_ENDPOINT": hub.Endpoint,
		}
		for key, value := range flow.Env {
			r.env[key] = r.text(value)
		}
		if j.Permissions["id-token"] == "write" { // only then a job gets a token
			r.env["ACTIONS_ID_TOKEN_REQUEST_URL"], r.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = s.URL+"/token?api-version=2.0", s.Token
		}
		return r
	}
	var variants []string
	if err := json.Unmarshal([]byte(values["inputs.variants"]), &variants); err != nil {
		t.Fatal(err)
	}
	for _, job := range []string{"prepare", "publish", "verify"} {
		j := flow.Jobs[job]
		if j.Strategy.Matrix.Variant == "" {
			t.Run(job, func(t *testing.T) { runSteps(start(t, j), j.Steps) })
			continue
		}
		if want := "${{ fromJSON(inputs.variants) }}"; j.Strategy.Matrix.Variant != want {
			t.Fatalf("job %s is for each of %s, want %s", job, j.Strategy.Matrix.Variant, want)
		}
		for _, variant := range variants {
			t.Run(job+" "+variant, func(t *testing.T) {
				if job == "verify" && os.Getenv("LAMINA_REAL") != "verify" {
					t.Skip("it builds a base from nothing: LAMINA_REAL=verify runs it")
				}
				r := start(t, j)
				r.values["matrix.variant"] = variant
				runSteps(r, j.Steps)
			})
		}
	}
	if n := s.Logged.Load(); n != int64(2*len(variants)) {
		t.Errorf("%d signatures are logged, want that of each image and of its provenance", n)
	}
	login := t.TempDir()
	e2etest.Write(t, filepath.Join(login, "config.json"), []byte(`{"auths":{"`+registry.Host+`":{"auth":"`+base64.StdEncoding.EncodeToString([]byte("me:"+e2etest.Secret))+`"}}}`))
	u.Env = append(u.Env, "DOCKER_CONFIG="+login)
	for _, variant := range variants {
		name := registry.Host + "/acme/wan22-animate:" + variant
		digest, err := crane.Digest(name, crane.Insecure, crane.WithAuth(&authn.Basic{Username: "me", Password: e2etest.Secret}))
		kept, _ := os.ReadFile(filepath.Join(artifacts, "image-"+variant, "name"))
		if want := strings.TrimSuffix(name, ":"+variant) + "@" + digest + "\n"; err != nil || string(kept) != want {
			t.Errorf("variant %s: kept %q, want %q, %v", variant, kept, want, err)
		}
		inspect := []string{"inspect", "--insecure-registry", "--trusted-root", trusted, "--certificate-oidc-issuer", s.Issuer, name, "--certificate-identity"}
		if shown := u.Build(t, append(inspect, s.Identity)...); strings.Count(shown.Stdout, "  signed\n") != 5 {
			t.Errorf("variant %s: the workflow's identity signed\n%s", variant, shown.Stdout)
		}
		u.Fails(t, 3, []string{"no signature by the required signer"}, append(inspect, strings.Replace(s.Identity, "heads/main", "pull/1/head", 1))...)
	}
	if sent := hub.CDN.Sent("/**"); sent < 3_000_000 || sent > 3_500_000 {
		t.Errorf("%d bytes of weights came from the hub: they must go to the registry once", sent)
	}
	e2etest.NoSecrets(t, project, artifacts)
}

func runSteps(r *runner, steps []workflowStep) {
	r.Helper()
	if len(steps) < 3 {
		r.Fatalf("a job of %d steps", len(steps))
	}
	for _, s := range steps {
		r.run(s)
	}
}
