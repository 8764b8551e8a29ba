package python

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/fault"
	"lamina.build/internal/requirements"
)

// pylockName is what a pylock.toml is called where the scripts read it.
const pylockName = "pylock.toml"

// pylock is what has to be known of a pylock.toml before the scripts read it,
// which know the markers.
type pylock struct {
	Packages []struct {
		Name string `toml:"name"`
		VCS  struct {
			Type         string `toml:"type"`
			URL          string `toml:"url"`
			Commit       string `toml:"commit-id"`
			Subdirectory string `toml:"subdirectory"`
		} `toml:"vcs"`
	} `toml:"packages"`
}

// pylockNames lists the projects of a pylock.toml that was read before.
func pylockNames(data []byte) []string {
	var file pylock
	_ = toml.Unmarshal(data, &file)
	names := make([]string, len(file.Packages))
	for i, p := range file.Packages {
		names[i] = requirements.Normal(p.Name)
	}
	return names
}

// pylockTrees finds the git trees of a pylock.toml, which the engine fetches.
func pylockTrees(data []byte) ([]tree, error) {
	var file pylock
	if err := toml.Unmarshal(data, &file); err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("reading the pylock.toml: %w", err))
	}
	var trees []tree
	var faults []error
	for _, p := range file.Packages {
		faults = append(faults, checkLogin(p.Name, p.VCS.URL))
		if p.VCS.Type == "git" && len(p.VCS.Commit) == 40 {
			name := requirements.Normal(p.Name)
			trees = append(trees, newTree(name, p.VCS.URL, p.VCS.Commit, p.VCS.Subdirectory, len(trees)))
		}
	}
	return trees, fault.New(fault.Usage, errors.Join(faults...))
}

// checkLogin keeps logins out of graphs and locks, which hold addresses.
func checkLogin(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User == nil || u.Scheme == "ssh" {
		return nil // the engine refuses what it does not know
	}
	err = fmt.Errorf("pylock.toml: %s: the address of its git tree holds a login for %s", name, u.Hostname())
	return fault.WithHint(err, "put it into ~/.netrc")
}
