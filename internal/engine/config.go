package engine

import (
	"bytes"
	_ "embed" // for the variable below
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/failure"
)

// config is the private engine's buildkitd.toml.
//
//go:embed buildkitd.toml
var config string

// Config returns the private engine's buildkitd.toml, which also suits a shared engine.
func Config() string { return config }

// Registry is how the private engine reaches a registry, in the terms of buildkitd.toml.
type Registry struct {
	Host     string // with its port, if it has one
	Mirrors  []string
	HTTP     bool // plain HTTP is allowed
	Insecure bool // its certificate is not verified
	CAs      []string
	KeyPairs []KeyPair
}

// KeyPair names the files of the engine's client certificate for a registry.
type KeyPair struct{ Certificate, Key string }

// table returns the registry's table. These JSON values are valid TOML.
func (r Registry) table() string {
	var b strings.Builder
	set := func(key string, value any) {
		text, _ := json.Marshal(value) // strings and booleans always marshal
		fmt.Fprintf(&b, "  %s = %s\n", key, text)
	}
	host, _ := json.Marshal(r.Host)
	fmt.Fprintf(&b, "\n[registry.%s]\n", host)
	if len(r.Mirrors) > 0 {
		set("mirrors", r.Mirrors)
	}
	set("http", r.HTTP) // the default for localhost is true
	if r.Insecure {
		set("insecure", true)
	}
	if len(r.CAs) > 0 {
		set("ca", r.CAs)
	}
	for _, pair := range r.KeyPairs {
		fmt.Fprintf(&b, "  [[registry.%s.keypair]]\n", host)
		set("cert", pair.Certificate)
		set("key", pair.Key)
	}
	return b.String()
}

// CheckConfig reports errors in the private engine's configuration before it is started.
func (o Options) CheckConfig() error {
	_, err := o.configuration()
	return err
}

// configuration returns what the engine is started with. What the user's file says about
// a registry wins.
func (o Options) configuration() ([]byte, error) {
	var file struct {
		Registry map[string]any `toml:"registry"`
	}
	if err := toml.Unmarshal(o.Config, &file); err != nil {
		text := err.Error()
		if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ := decode.Position()
			text = fmt.Sprintf("line %d: %s", line, decode.Error())
		}
		return nil, failure.New(failure.Usage, errors.New("reading the engine's configuration: "+text))
	}
	text := bytes.Clone(o.Config)
	for _, r := range o.Registries {
		if _, said := file.Registry[r.Host]; !said {
			text = append(text, r.table()...)
		}
	}
	return text, nil
}

// outdated lists what has changed since the running engine was started.
func (s state) outdated(o Options) (what []string) {
	if text, err := os.ReadFile(s.path(configFile)); err == nil { // else another version started it
		if wanted, err := o.configuration(); err == nil && !bytes.HasPrefix(text, o.Config) {
			what = append(what, "a different configuration")
		} else if err == nil {
			for _, r := range o.Registries {
				if table := []byte(r.table()); bytes.Contains(wanted, table) && !bytes.Contains(text, table) {
					what = append(what, "a different way to reach "+r.Host)
				}
			}
		}
	}
	r, err := s.record()
	if err != nil || !s.sees(r) {
		return what
	}
	running, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.PID))
	had := strings.Split(strings.TrimSuffix(string(running), "\x00"), "\x00")
	if err == nil && !slices.Equal(had, environment(o.Env)) {
		what = append(what, "different proxies or certificates")
	}
	return what
}

// sees reports whether the supervisor is a process of our pid namespace. Of another's, as that
// of a container that shares the directory, the kernel shows no locks, and has other numbers.
func (s state) sees(r record) bool {
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.PID))
	return err == nil && bytes.Contains(arguments, []byte("\x00-state\x00"+s.dir+"\x00"))
}
