package fresh

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// Caches in third-party services: versitygw for S3, Microsoft's emulator of Azure's, and act
// for the cache of GitHub's runners. All are packages, which are fetched once.
func TestRealCachesOfServices(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "caches" {
		t.Skip("LAMINA_REAL=caches fetches and compiles third-party services")
	}
	for name, service := range map[string]func(*testing.T) (cache string, env []string){"s3": bucketOfVersity, "azblob": azurite, "gha": runnersCache} {
		t.Run(name, func(t *testing.T) {
			cache, env := service(t)
			carries(t, cache, env)
		})
	}
}

// carries checks that a cache written by one engine brings the next one all but the app.
func carries(t *testing.T, cache string, env []string) {
	t.Helper()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Env = append(u.Env, env...)
	first := u.Build(t, dir, "--cache-to", cache, "--cache-from", cache)
	if strings.Contains(first.Stderr, "next build will miss") {
		t.Fatalf("the cache has nothing:\n%s", e2etest.Tail(first.Stderr))
	}
	e2etest.Write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	there := e2etest.UserOf(t, e2etest.FreshEngine(t))
	there.Env = u.Env
	second := there.Build(t, dir, "--cache-from", cache, "--smoke", "off", "--progress", "plain")
	if strings.Contains(second.Stderr, "Unpacking ") || strings.Contains(second.Stderr, "nothing imported from cache") {
		t.Errorf("the fresh engine has installed packages:\n%s", e2etest.Tail(second.Stderr))
	}
}

// kept returns a directory of programs that are fetched once.
func kept(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(enginetest.Options(t).CacheDir, "services")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fetched runs the command that installs a program, unless it is there.
func fetched(t *testing.T, program, dir string, command ...string) string {
	t.Helper()
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skipf("needs %s: %v", command[0], err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+filepath.Dir(program))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return program
}

// serve starts a program that ends with the test, and returns the first line of its output
// with a word in it.
func serve(t *testing.T, word string, env []string, command ...string) (line string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Dir, cmd.Stderr = append(os.Environ(), env...), t.TempDir(), t.Output()
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stdout)
	for !strings.Contains(line, word) {
		if !said.Scan() {
			t.Fatalf("%s: it ended with %v", command[0], cmd.Wait())
		}
		line = said.Text()
	}
	go func() {
		for said.Scan() { // so that it never blocks
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return line
}

func bucketOfVersity(t *testing.T) (cache string, env []string) {
	t.Helper()
	program := fetched(t, filepath.Join(kept(t), "versitygw"), "", "go", "install", "github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	dir, address := t.TempDir(), enginetest.FreePort(t, "127.0.0.1")
	if err := os.MkdirAll(filepath.Join(dir, "caches"), 0o700); err != nil {
		t.Fatal(err)
	}
	serve(t, "", []string{"ROOT_ACCESS_KEY=somebody", "ROOT_SECRET_KEY=x"}, program, "--port", address, "posix", "--sidecar", t.TempDir(), dir)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address) //nolint:noctx // at once or not at all
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	return "type=s3,bucket=caches,use_path_style=true,endpoint_url=http://" + address, []string{"AWS_ACCESS_KEY_ID=somebody", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1"}
}

func azurite(t *testing.T) (cache string, env []string) {
	t.Helper()
	dir := kept(t)
	program := fetched(t, filepath.Join(dir, "node_modules", ".bin", "azurite-blob"), dir, "npm", "install", "--no-save", "--prefix", dir, "azurite@3.37.0")
	key := base64.StdEncoding.EncodeToString([]byte("a key of this test"))
	line := serve(t, "listens on", []string{"AZURITE_ACCOUNTS=somebody:" + key}, program, "--blobPort", "0", "--location", t.TempDir(), "--skipApiVersionCheck", "--disableTelemetry")
	_, address, _ := strings.Cut(line, "listens on ")
	return fmt.Sprintf("type=azblob,account_url=%s/somebody,account_name=somebody,secret_access_key=%s", address, key), nil
}

// runnersCache starts the first version of the protocol, as self-hosted runners have it. It
// has no authentication; an engine requires a token anyway, and parses it.
func runnersCache(t *testing.T) (cache string, env []string) {
	t.Helper()
	source := filepath.Join(e2etest.Root(t), "test", "e2e", "fresh", "testdata", "act")
	program := fetched(t, filepath.Join(kept(t), "act"), source, "go", "install", ".")
	return "type=gha", []string{"ACTIONS_CACHE_URL=" + serve(t, "http", nil, program, t.TempDir()) + "/", "ACTIONS_RUNTIME_TOKEN=" + testworld.ActionsToken(e2etest.Secret), "ACTIONS_RESULTS_URL=", "ACTIONS_CACHE_SERVICE_V2="}
}
