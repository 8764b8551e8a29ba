package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// builders writes buildx's files below a docker directory, and returns that directory.
func builders(t *testing.T, files map[string]string) string {
	t.Helper()
	docker := t.TempDir()
	for name, text := range files {
		path := filepath.Join(docker, "buildx", name)
		mkdir(t, filepath.Dir(path))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	meta := filepath.Join(docker, "contexts", "meta", digest.FromString("colima").Encoded())
	mkdir(t, meta)
	if err := os.WriteFile(filepath.Join(meta, "meta.json"), []byte(`{"Name":"colima"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return docker
}

func TestBuildersOfBuildx(t *testing.T) {
	const container = `{"Name":"%s","Driver":"docker-container","Nodes":[{"Name":"%[1]s0","Endpoint":"%s","Platforms":null,"DriverOpts":{},"Flags":["--x"],"Files":null}]}`
	docker := builders(t, map[string]string{
		"instances/here":    fmt.Sprintf(container, "here", "unix:///var/run/docker.sock"),
		"instances/there":   fmt.Sprintf(container, "there", "my context"),
		"instances/default": fmt.Sprintf(container, "default", "default"),
		"instances/far":     fmt.Sprintf(container, "far", "tcp://docker.example:2376"),
		"instances/named":   fmt.Sprintf(container, "named", "tcp://named.example:2376"),
		"instances/two":     `{"Name":"two","Driver":"remote","Nodes":[{"Name":"a","Endpoint":"tcp://a.example:1234","DriverOpts":{"cacert":"/ca","cert":"/c","key":"/k","servername":"s"}},{"Name":"b","Endpoint":"unix:///b.sock"}]}`,
		"instances/pods":    `{"Name":"pods","Driver":"kubernetes","Nodes":[{"Name":"p","Endpoint":"kubernetes:///pods"}]}`,
		"instances/cloud":   `{"Name":"cloud","Driver":"cloud","Nodes":[{"Name":"p","Endpoint":"cloud://o"}]}`,
		"instances/empty":   `{"Name":"empty","Driver":"remote"}`,
		"instances/nowhere": `{"Name":"nowhere","Driver":"remote","Nodes":[{"Name":"a","Endpoint":""}]}`,
		"instances/bare":    `{"Name":"bare","Driver":"remote","Nodes":[{"Name":"a","Endpoint":"192.0.2.1:1234"}]}`,
		"instances/torn":    `{"Name":`,
	})
	env := lookup(map[string]string{"DOCKER_CONFIG": docker, "DOCKER_HOST": "tcp://named.example:2376"})
	for name, want := range map[string]string{
		"here":    "docker-container://buildx_buildkit_here0",
		"HERE":    "docker-container://buildx_buildkit_here0",
		"there":   "docker-container://buildx_buildkit_there0?context=my+context",
		"default": "docker-container://buildx_buildkit_default0",
		"named":   "docker-container://buildx_buildkit_named0",
		"two":     "tcp://a.example:1234 {/ca /c /k s}, unix:///b.sock {   }",
		"far":     "no docker context names", "pods": "in Kubernetes", "cloud": `driver "cloud"`, "empty": "no nodes", "torn": "unexpected end",
		"nowhere": `builder "nowhere": "" is not the address of an engine`, "bare": `"192.0.2.1:1234" is not the address`,
		"colima": "into the dockerd of that context", "heer": `no builder "heer"`, "../../etc/passwd": "no builder",
	} {
		got, err := engine.FindBuilder(name, env)
		if isAddress := strings.Contains(want, "://"); isAddress != (err == nil) || err == nil && !strings.HasPrefix(got, want) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
		if err != nil && failure.KindOf(err) != failure.Usage {
			t.Errorf("%s: got kind %d of %v", name, failure.KindOf(err), err)
		}
	}
	if _, err := engine.FindBuilder("heer", env); !strings.Contains(strings.Join(failure.Hints(err), ""), `"here"`) {
		t.Errorf("no hint with the intended name: %v", err)
	}
}

// A real buildkitd stands in for one that buildx put behind TLS, and another one for its
// container: docker exec is dialled as BuildKit does it.
func TestRealBuildersOfBuildx(t *testing.T) {
	ca := testworld.NewAuthority(t)
	cert, key := ca.Certify(t, false, "127.0.0.1")
	remote := enginetest.StartRemote(t, enginetest.FreePort(t, "127.0.0.1"), nil, nil, "--tlscert", cert, "--tlskey", key, "--tlscacert", ca.File).Addr
	docker := builders(t, map[string]string{
		"instances/far": fmt.Sprintf(`{"Driver":"remote","Nodes":[{"Name":"lost","Endpoint":"tcp://127.0.0.1:1"},{"Name":"far0","Endpoint":%q,"DriverOpts":{"cacert":%q,"cert":%q,"key":%q}}]}`, remote, ca.File, cert, key),
		"instances/box": `{"Driver":"docker-container","Nodes":[{"Name":"box0","Endpoint":"unix:///var/run/docker.sock"}]}`,
		"instances/off": `{"Driver":"docker-container","Nodes":[{"Name":"off0","Endpoint":"unix:///var/run/docker.sock"}]}`,
	})
	// docker exec, without a container.
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = 'exec -i buildx_buildkit_box0 buildctl dial-stdio' ] || { echo \"No such container: $3\" >&2; exit 1; }\n%s=%s exec %s\n",
		helperDial, strings.TrimPrefix(enginetest.Engine(t).Addr, "unix://"), program)
	if err = os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	vars := map[string]string{"DOCKER_CONFIG": docker}
	for name, want := range map[string]string{"far": remote, "box": "docker-container://buildx_buildkit_box0"} {
		e := open(t, engine.Options{Env: lookup(vars), Where: engine.Where{Builder: name}})
		if closeEngine(t, e); e.Addr != want || !e.Same {
			t.Errorf("%s: got the engine at %s", name, e.Addr)
		}
	}
	vars["BUILDX_BUILDER"] = "box"
	e := open(t, engine.Options{Env: lookup(vars)})
	if closeEngine(t, e); e.Addr != "docker-container://buildx_buildkit_box0" {
		t.Errorf("BUILDX_BUILDER: got the engine at %s", e.Addr)
	}
	_, err = engine.Open(t.Context(), engine.Options{Env: lookup(vars), Where: engine.Where{Builder: "off"}})
	if failure.KindOf(err) != failure.NoEngine || !strings.Contains(err.Error(), "container does not answer") || !strings.Contains(strings.Join(failure.Hints(err), ""), "--bootstrap") {
		t.Errorf("a container that is not there: %v", err)
	}
}

// If no private engine can run, docker's current builder is used.
func TestCurrentBuilderIsTheLastResort(t *testing.T) {
	_, addr := serve(t, fakeEngine{version: engine.Version, snapshotter: "overlayfs"})
	unfit := errors.New("needs root")
	docker := builders(t, map[string]string{
		"instances/mine": fmt.Sprintf(`{"Driver":"remote","Nodes":[{"Name":"a","Endpoint":%q}]}`, addr),
		"current":        `{"Key":"unix:///var/run/docker.sock","Name":"mine","Global":false}`,
	})
	o := engine.Options{Env: lookup(map[string]string{"DOCKER_CONFIG": docker})}
	e, err := engine.OpenCurrent(t.Context(), o, unfit)
	if err != nil {
		t.Fatal(err)
	}
	if closeEngine(t, e); e.Addr != addr {
		t.Errorf("got the engine at %s", e.Addr)
	}
	for name, files := range map[string]map[string]string{
		"no current builder": {"current": `{"Key":"k","Name":"","Global":false}`}, "no docker": {}, "a removed builder": {"current": `{"Name":"gone"}`},
	} {
		o.Env = lookup(map[string]string{"DOCKER_CONFIG": builders(t, files)})
		if _, err = engine.OpenCurrent(t.Context(), o, unfit); !errors.Is(err, unfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Without a home, a builder of the working directory is a project's.
	t.Chdir(t.TempDir())
	if err = errors.Join(os.Mkdir(".docker", 0o700), os.Symlink(docker+"/buildx", ".docker/buildx")); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"", "."} {
		t.Setenv("HOME", home)
		o.Env = lookup(map[string]string{"HOME": home})
		if _, err = engine.OpenCurrent(t.Context(), o, unfit); !errors.Is(err, unfit) {
			t.Errorf("with HOME=%q: %v", home, err)
		}
	}
}
