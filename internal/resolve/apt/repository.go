package apt

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// aptConf makes apt answer from the indexes alone and the same way everywhere.
// It need not verify them again, and its engine's clock need not be right.
const aptConf = `Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::By-Hash "no";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Update::Error-Mode "any";
APT::Get::Always-Include-Phased-Updates "true";
Debug::NoLocking "true";
Dir::Bin::dpkg "/bin/true";
`

// writeIndexes fills a folder with the indexes as a repository that apt reads
// from disk: a numbered folder for each, the same paths below as on a mirror.
func (a *archive) writeIndexes(dir string) error {
	sources, err := a.sourcesList()
	if err != nil {
		return err
	}
	conf := aptConf + fmt.Sprintf("APT::Architecture %q;\nAPT::Architectures { %q; };\n", a.arch, a.arch)
	faults := []error{
		os.WriteFile(filepath.Join(dir, "sources.list"), []byte(sources), 0o600),
		os.WriteFile(filepath.Join(dir, "apt.conf"), []byte(conf), 0o600),
	}
	for _, r := range a.releases {
		name := filepath.Join(a.folder(dir, r.Repository), r.Dir(), "Release")
		faults = append(faults, os.MkdirAll(filepath.Dir(name), 0o755), //nolint:gosec // packed and removed
			os.WriteFile(name, r.Text, 0o600))
	}
	for _, f := range a.files {
		faults = append(faults, place(f.Local, filepath.Join(a.folder(dir, f.Release.Repository), f.Path)))
	}
	return errors.Join(faults...)
}

func (a *archive) folder(dir, repository string) string {
	return filepath.Join(dir, strconv.Itoa(slices.Index(a.repositories(), repository)))
}

// sourcesList says trusted, since the signatures were checked here and apt
// gets the signed text without them.
func (a *archive) sourcesList() (string, error) {
	var list strings.Builder
	for _, s := range a.sources {
		if !filepath.IsLocal(path.Clean(s.Suite)) || strings.ContainsAny(s.Suite+strings.Join(s.Components, ""), " \t\n[]#'") {
			return "", fmt.Errorf("%s: a suite or component has no such letters", s.Subject())
		}
		fields := append([]string{"deb [trusted=yes]", "file:" + a.folder("/repository", s.Repository), s.Suite}, s.Components...)
		fmt.Fprintln(&list, strings.Join(fields, " "))
	}
	return list.String(), nil
}
