package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/failure"
)

// settings are the indexes in a configuration file of uv or pip, for all projects of a machine.
type settings struct {
	file    string
	index   string // the default one
	further []string
	names   map[string]string // addresses of indexes by their names
	keyring string            // provider of logins
}

// settings reads the files of uv and pip, highest precedence first. Without HOME there are
// none, and a project without Python packages doesn't report their problems.
func (p Project) settings() ([]settings, error) {
	if !filepath.IsAbs(p.Env("HOME")) || len(p.Requirements.Python) == 0 {
		return nil, nil
	}
	uv, err := p.uvSettings()
	if err != nil {
		return nil, err
	}
	pip, err := p.pipSettings()
	if err != nil {
		return nil, err
	}
	return append(uv, pip), nil
}

// configDirs are the configuration directories of the user and the machine. Relative ones,
// which would be in the project, are ignored, as the specification of XDG requires.
func (p Project) configDirs() (user string, system []string) {
	if user = p.Env("XDG_CONFIG_HOME"); !filepath.IsAbs(user) {
		user = filepath.Join(p.Env("HOME"), ".config")
	}
	system = filepath.SplitList(cmp.Or(p.Env("XDG_CONFIG_DIRS"), "/etc/xdg"))
	return user, slices.DeleteFunc(system, func(dir string) bool { return !filepath.IsAbs(dir) })
}

func (p Project) etc() string { return cmp.Or(p.etcDir, "/etc") }

// uvSettings reads the user's uv.toml, then the machine's:
// https://docs.astral.sh/uv/concepts/configuration-files/
func (p Project) uvSettings() (list []settings, err error) {
	user, system := p.configDirs()
	var names []string
	switch {
	case p.Env("UV_CONFIG_FILE") != "":
		names = []string{p.Env("UV_CONFIG_FILE")}
	case p.Env("UV_NO_CONFIG") == "" || p.Env("UV_NO_CONFIG") == "0" || p.Env("UV_NO_CONFIG") == "false":
		names = []string{filepath.Join(user, "uv", "uv.toml"), filepath.Join(p.etc(), "uv", "uv.toml")}
		for _, dir := range system {
			if name := filepath.Join(dir, "uv", "uv.toml"); isFile(name) {
				names[1] = name
				break
			}
		}
	}
	for _, name := range names {
		data, err := configFile(name)
		if err != nil {
			return nil, err
		}
		s, err := readUV(name, data)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// configFile reads a file that may be missing.
func configFile(name string) ([]byte, error) {
	data, err := os.ReadFile(name) //nolint:gosec // the user's own configuration
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return data, failure.New(failure.Usage, err)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func readUV(name string, data []byte) (settings, error) {
	var file struct {
		IndexURL      string   `toml:"index-url"`
		ExtraIndexURL []string `toml:"extra-index-url"`
		Keyring       string   `toml:"keyring-provider"`
		Index         []struct {
			Name     string `toml:"name"`
			URL      string `toml:"url"`
			Format   string `toml:"format"`
			Default  bool   `toml:"default"`
			Explicit bool   `toml:"explicit"`
		} `toml:"index"`
	}
	if err := toml.Unmarshal(data, &file); err != nil {
		line := 0
		if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ = decode.Position()
		}
		return settings{}, failure.New(failure.Usage, fmt.Errorf("%s:%d: %w", name, line, err))
	}
	s := settings{file: name, index: file.IndexURL, keyring: file.Keyring, names: map[string]string{}}
	for _, i := range file.Index {
		s.names[i.Name] = i.URL
		switch {
		case i.Explicit, i.Format == "flat": // used only by name, or not an index
		case i.Default:
			s.index = i.URL
		default:
			s.further = append(s.further, i.URL)
		}
	}
	s.further = append(s.further, file.ExtraIndexURL...)
	return s, nil
}

// pipSettings merges pip's files; a later one overrides:
// https://pip.pypa.io/en/stable/topics/configuration/
func (p Project) pipSettings() (settings, error) {
	user, system := p.configDirs()
	own := p.Env("PIP_CONFIG_FILE")
	if own == os.DevNull {
		return settings{}, nil
	}
	var names []string
	for _, dir := range system {
		names = append(names, filepath.Join(dir, "pip", "pip.conf"))
	}
	names = append(names, filepath.Join(p.etc(), "pip.conf"))
	if !isFile(own) {
		names = append(names, filepath.Join(p.Env("HOME"), ".pip", "pip.conf"))
		if runtime.GOOS == "darwin" {
			names = append(names, filepath.Join(p.Env("HOME"), "Library", "Application Support", "pip", "pip.conf"))
		}
		names = append(names, filepath.Join(user, "pip", "pip.conf"))
	}
	if env := p.Env("VIRTUAL_ENV"); env != "" {
		names = append(names, filepath.Join(env, "pip.conf"))
	}
	if own != "" {
		names = append(names, own)
	}
	var s settings
	for _, name := range names {
		data, err := configFile(name)
		if err != nil {
			return s, err
		}
		values := readPip(string(data))
		if values["index-url"] != "" || values["extra-index-url"] != "" {
			s.file = name
		}
		s.index = cmp.Or(values["index-url"], s.index)
		s.keyring = cmp.Or(values["keyring-provider"], s.keyring)
		if further := strings.Fields(values["extra-index-url"]); len(further) > 0 {
			s.further = further
		}
	}
	return s, nil
}

// readPip returns the options of a pip.conf as Python's configparser reads them; "install"
// overrides "global". It ignores lines that configparser would reject.
func readPip(text string) map[string]string {
	sections := map[string]map[string]string{"global": {}, "install": {}}
	var section map[string]string
	key := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		at := strings.IndexAny(trimmed, "=:")
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case line[0] == ' ' || line[0] == '\t': // continues the last value
			if section != nil && key != "" {
				section[key] += "\n" + trimmed
			}
		case trimmed[0] == '[':
			section, key = sections[strings.ToLower(strings.Trim(trimmed, "[]"))], ""
		case section != nil && at > 0:
			key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(trimmed[:at])), "_", "-")
			section[key] = strings.TrimSpace(trimmed[at+1:])
		}
	}
	values := sections["global"]
	maps.Copy(values, sections["install"])
	return values
}
