package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/toml"
)

// Hosts are the directories, called certs.d, that configure how to reach registries: each
// has a directory per host, with a hosts.toml of containerd or the certificates of docker
// and podman. The first that has the host counts, and "_default" if none does.
//
// containerd's own reader (core/remotes/docker/config) doesn't report which files it read,
// which an engine must be told, and ignores an invalid hosts.toml.
type Hosts []string

// HostDirs returns those of this machine. config is the user's configuration directory, or "".
func HostDirs(config string) Hosts {
	var directories Hosts
	for _, parent := range []string{config, "/etc"} {
		for _, program := range []string{"containerd", "containers", "docker"} {
			if parent != "" {
				directories = append(directories, filepath.Join(parent, program, "certs.d"))
			}
		}
	}
	return directories
}

// Host is how a registry is reached.
type Host struct {
	Name       string    // with its port, if any
	Plain      bool      // it uses HTTP
	SkipVerify bool      // its certificate is not verified
	CAs        []string  // files with certificate authorities, in addition to the system's
	KeyPairs   []KeyPair // client certificates to present
	Mirrors    []Host    // tried first for reads; their names may end in a path
}

// KeyPair is a certificate and its key: two files, or the same one twice.
type KeyPair struct{ Certificate, Key string }

// Names returns the hosts that the directories configure, in their order.
func (h Hosts) Names() []string {
	var names []string
	for _, directory := range h {
		entries, _ := os.ReadDir(directory) // most aren't there
		for _, e := range entries {
			if e.Type().IsRegular() {
				continue
			}
			name := e.Name()
			if base, ok := strings.CutSuffix(name, "_"); ok { // containerd's form where names must have no colon
				if at := strings.LastIndexByte(base, '_'); at > 0 {
					name = base[:at] + ":" + base[at+1:]
				}
			}
			if name != defaultHost && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

const (
	defaultHost = "_default"
	hostsFile   = "hosts.toml"
)

// Of returns how to reach a registry. A directory that can't be read is an error of the
// kind [failure.Usage].
func (h Hosts) Of(name string) (Host, error) {
	if isHub(name) {
		name = "docker.io"
	}
	spellings := []string{name}
	if at := strings.LastIndexByte(name, ':'); at > 0 {
		spellings = []string{name[:at] + "_" + name[at+1:] + "_", name}
	}
	for _, spelling := range append(spellings, defaultHost) {
		for _, directory := range h {
			if strings.HasPrefix(spelling, ".") {
				continue // not a host, and not a directory below
			}
			host, ok, err := readHost(filepath.Join(directory, spelling), name)
			if err != nil {
				return host, failure.New(failure.Usage, fmt.Errorf("reading the configuration of registry %q: %w", name, err))
			}
			if ok {
				return host, nil
			}
		}
	}
	return Host{Name: name}, nil
}

// readHost reads one directory; ok is false if it configures nothing.
func readHost(directory, name string) (host Host, ok bool, err error) {
	file := filepath.Join(directory, hostsFile)
	text, err := os.ReadFile(file) //nolint:gosec // the machine's own
	switch {
	case err == nil:
		host, err = parseHosts(file, text, name)
		return host, err == nil, err
	case !errors.Is(err, fs.ErrNotExist):
		return host, false, err
	}
	host.Name = name
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return host, false, nil
	}
	for _, e := range entries {
		path := filepath.Join(directory, e.Name())
		switch filepath.Ext(path) {
		case ".crt":
			host.CAs = append(host.CAs, path)
		case ".cert":
			pair := KeyPair{path, strings.TrimSuffix(path, ".cert") + ".key"}
			if _, missing := os.Stat(pair.Key); missing != nil {
				pair.Key = path
			}
			host.KeyPairs = append(host.KeyPairs, pair)
		}
	}
	return host, len(host.CAs)+len(host.KeyPairs) > 0, err
}

// parseHosts reads a hosts.toml, as of
// https://github.com/containerd/containerd/blob/main/docs/hosts.md. Keys that don't
// concern how to reach a host are left to containerd.
func parseHosts(file string, text []byte, name string) (Host, error) {
	doc, problems := toml.Parse(file, text)
	f := hostReader{Problems: problems, directory: filepath.Dir(file)}
	root := f.Read(doc.Root)
	own := Host{Name: name}
	// A server of another name than the registry's is only read from, as the last mirror:
	// pushes go where the name says.
	upstream, _ := f.host(root, root.Text("server", anyText), root.At("server"))
	var mirrors []Host
	root.Pairs("host", anyText, func(below *toml.Reader, key, _ string) {
		h, reads := f.host(below.Below(key), key, below.At(key))
		switch {
		case h.Name == name:
			own = merge(own, h)
		case reads:
			mirrors = append(mirrors, h)
		}
	})
	if upstream.Name == "" || upstream.Name == name || isHub(upstream.Name) && isHub(name) {
		upstream.Name = name
		own = merge(own, upstream)
	} else {
		mirrors = append(mirrors, upstream)
	}
	own.Mirrors = mirrors
	return own, f.Err()
}

func merge(a, b Host) Host {
	a.Plain, a.SkipVerify = a.Plain || b.Plain, a.SkipVerify || b.SkipVerify
	a.CAs, a.KeyPairs = append(a.CAs, b.CAs...), append(a.KeyPairs, b.KeyPairs...)
	return a
}

type hostReader struct {
	*toml.Problems

	directory string // that relative file names start from
}

func anyText(s string) (string, error) { return s, nil }

// host reads the table of one address; reads reports whether names are resolved and
// content is pulled there.
func (f hostReader) host(r *toml.Reader, address string, at int) (h Host, reads bool) {
	if address != "" && !strings.HasPrefix(address, "http") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || address != "" && u.Host == "" {
		f.Add(at, "%q is not the address of a registry", address)
		return h, false
	}
	h.Plain = u.Scheme == "http"
	h.Name = u.Host + strings.TrimSuffix(strings.Replace(strings.TrimSuffix(u.Path, "/")+"/", "/v2/", "/", 1), "/")
	h.SkipVerify = r.Bool("skip_verify")
	f.each(r, "ca", func(key string, v *toml.Value) { h.CAs = append(h.CAs, f.path(key, v)) })
	f.each(r, "client", func(key string, v *toml.Value) {
		both := []*toml.Value{v, v}
		if v.Kind == toml.List && len(v.Items) == 2 {
			both = v.Items
		}
		h.KeyPairs = append(h.KeyPairs, KeyPair{f.path(key, both[0]), f.path(key, both[1])})
	})
	can := r.Texts("capabilities", anyText)
	return h, len(can) == 0 || slices.Contains(can, "pull") && slices.Contains(can, "resolve")
}

// each visits a value that may be a single one or a list.
func (f hostReader) each(r *toml.Reader, key string, visit func(string, *toml.Value)) {
	switch v := r.Take(key); {
	case v == nil:
	case v.Kind == toml.List:
		r.List(key, visit)
	default:
		visit(key, v)
	}
}

func (f hostReader) path(key string, v *toml.Value) string {
	if !f.Read(nil).Fit(key, v, toml.String) || filepath.IsAbs(v.Text) {
		return v.Text
	}
	return filepath.Join(f.directory, v.Text)
}

// TLS returns the TLS configuration of connections to the host.
func (h Host) TLS() (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: h.SkipVerify} //nolint:gosec // as the machine's owner configured
	var problems []error
	if len(h.CAs) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("reading this machine's certificate authorities: %w", err)
		}
		c.RootCAs = pool
	}
	for _, file := range h.CAs {
		text, err := os.ReadFile(file) //nolint:gosec // as above
		if err == nil && !c.RootCAs.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%q contains no certificate", file)
		}
		problems = append(problems, err)
	}
	for _, pair := range h.KeyPairs {
		certificate, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			err = fmt.Errorf("%q: %w", pair.Certificate, err)
		}
		c.Certificates = append(c.Certificates, certificate)
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading certificates for registry %q: %w", h.Name, err))
	}
	return c, nil
}
