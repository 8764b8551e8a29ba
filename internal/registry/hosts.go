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

// Hosts are the directories, called certs.d, that say how registries are reached: one directory
// a host below them, with a hosts.toml of containerd or the certificates of docker and
// podman. The first that knows a host counts, and "_default" where none does.
//
// containerd's own reader (core/remotes/docker/config) keeps to itself which files it read,
// which an engine has to be told, and passes over a hosts.toml that is wrong.
type Hosts []string

// HostDirs are those of this machine. config is the directory of its user, or "".
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
	Name       string    // with its port, if it has one
	Plain      bool      // it speaks HTTP
	SkipVerify bool      // nobody has to vouch for its certificate
	CAs        []string  // files with authorities, besides the machine's own
	KeyPairs   []KeyPair // that it knows us by
	Mirrors    []Host    // that are asked first when something is read; their names may end in a path
}

// KeyPair is a certificate and its key: two files, or twice the same.
type KeyPair struct{ Certificate, Key string }

// Names are the hosts that the directories know, in their order.
func (h Hosts) Names() []string {
	var names []string
	for _, directory := range h {
		entries, _ := os.ReadDir(directory) // most aren't there
		for _, e := range entries {
			if e.Type().IsRegular() {
				continue
			}
			name := e.Name()
			if base, ok := strings.CutSuffix(name, "_"); ok { // containerd's way where no name may have a colon
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

// Of says how a registry is reached. What can't be read in its directory is an error of the
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
				continue // no host, and no directory below
			}
			host, ok, err := readHost(filepath.Join(directory, spelling), name)
			if err != nil {
				return host, failure.New(failure.Usage, fmt.Errorf("reading how registry %q is reached: %w", name, err))
			}
			if ok {
				return host, nil
			}
		}
	}
	return Host{Name: name}, nil
}

// readHost reads one directory; ok is false where it says nothing.
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
// https://github.com/containerd/containerd/blob/main/docs/hosts.md. Keys that are not
// about how a host is reached are containerd's business.
func parseHosts(file string, text []byte, name string) (Host, error) {
	doc, problems := toml.Parse(file, text)
	f := hostReader{Problems: problems, directory: filepath.Dir(file)}
	root := f.Read(doc.Root)
	own := Host{Name: name}
	// The server of another name than the registry's is read from, as the last mirror:
	// what is pushed goes where its name says.
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

	directory string // that names of files begin in
}

func anyText(s string) (string, error) { return s, nil }

// host reads a table about one address; reads tells whether names are looked up and
// content is read there.
func (f hostReader) host(r *toml.Reader, address string, at int) (h Host, reads bool) {
	if address != "" && !strings.HasPrefix(address, "http") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || address != "" && u.Host == "" {
		f.Add(at, "%q is no address of a registry", address)
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

// each visits a value that may be one or a list.
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

// TLS is how connections to the host are secured.
func (h Host) TLS() (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: h.SkipVerify} //nolint:gosec // the machine's owner said so
	var problems []error
	if len(h.CAs) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("reading this machine's authorities: %w", err)
		}
		c.RootCAs = pool
	}
	for _, file := range h.CAs {
		text, err := os.ReadFile(file) //nolint:gosec // as above
		if err == nil && !c.RootCAs.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%q holds no certificate", file)
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
