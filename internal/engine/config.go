package engine

import (
	"bytes"
	_ "embed" // for the variable below
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// config is buildkitd.toml, what the private engine is started with.
//
//go:embed buildkitd.toml
var config string

// Registry is how the private engine reaches a registry, in the words of buildkitd.toml.
type Registry struct {
	Host     string // with its port, if it has one
	Mirrors  []string
	HTTP     bool // it may speak plain HTTP
	Insecure bool // nobody has to vouch for its certificate
	CAs      []string
	KeyPairs []KeyPair
}

// KeyPair are the files that the engine is known by to a registry.
type KeyPair struct{ Certificate, Key string }

// table is the registry's table. What JSON writes, TOML reads.
func (r Registry) table() string {
	var b strings.Builder
	set := func(key string, value any) {
		text, _ := json.Marshal(value) // texts and booleans can be marshalled
		fmt.Fprintf(&b, "  %s = %s\n", key, text)
	}
	host, _ := json.Marshal(r.Host)
	fmt.Fprintf(&b, "\n[registry.%s]\n", host)
	if len(r.Mirrors) > 0 {
		set("mirrors", r.Mirrors)
	}
	set("http", r.HTTP) // else it is true for localhost
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

// configuration is what the engine is started with.
func (o Options) configuration() []byte {
	text := bytes.Clone(o.Config)
	for _, r := range o.Registries {
		text = append(text, r.table()...)
	}
	return text
}

// otherRegistries are the hosts that an engine which runs was not told how to reach, or
// otherwise.
func (s state) otherRegistries(o Options) []string {
	running, err := os.ReadFile(s.path(configFile))
	if err != nil {
		return nil // whoever started it keeps it elsewhere
	}
	var hosts []string
	for _, r := range o.Registries {
		if !bytes.Contains(running, []byte(r.table())) {
			hosts = append(hosts, r.Host)
		}
	}
	return hosts
}
