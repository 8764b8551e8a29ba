package apt

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/debian"
)

//go:embed scripts/*.sh
var scripts embed.FS

// closure returns packages with their dependencies, found as debootstrap does: the first
// available alternative, the first provider of a virtual package. This is good enough for
// apt, not for an image.
func closure(x *debian.Index, names ...string) ([]*debian.Package, error) {
	seen := map[string]bool{}
	var found []*debian.Package
	var missing []error
	queue := names
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		p, ok := x.Best(name)
		if !ok {
			missing = append(missing, fmt.Errorf("package %q, which apt needs to run: no index has it", name))
			continue
		}
		found = append(found, p)
		for relation := range strings.SplitSeq(p.PreDepends+","+p.Depends, ",") {
			if next := firstAlternative(x, relation); next != "" {
				queue = append(queue, next)
			}
		}
	}
	slices.SortFunc(found, func(a, b *debian.Package) int { return strings.Compare(a.Name, b.Name) })
	return found, errors.Join(missing...)
}

func firstAlternative(x *debian.Index, relation string) string {
	first := ""
	for name := range debian.Names(relation, "|") {
		first = cmp.Or(first, name)
		if len(x.Candidates(name)) > 0 {
			return name
		}
		if providers := x.Providers(name); len(providers) > 0 {
			return providers[0]
		}
	}
	return first
}

// writeTools fills a directory with the programs of the execs: busybox, the scripts, and
// apt with its dependencies, still packed.
func (a *archive) writeTools(ctx context.Context, dir string) error {
	// apt reads dpkg's architecture tables, but doesn't depend on it, since it is essential.
	debs, err := closure(a.index, "apt", "dpkg")
	if err != nil {
		return err
	}
	busybox, ok := a.index.Best("busybox-static")
	if !ok {
		return errors.New("package \"busybox-static\", which unpacks apt: no index has it")
	}
	local, err := a.fetch(ctx, append(debs, busybox))
	if err != nil {
		return err
	}
	last := len(local) - 1
	for i, name := range local[:last] {
		if err = placeDeb(name, filepath.Join(dir, "debs", locked(debs[i]).FileName())); err != nil {
			return fmt.Errorf("unpacking %s: %w", debs[i], err)
		}
	}
	// It moved from /bin to /usr/bin between Debian releases.
	program, err := a.getter.Derived("busybox-"+filepath.Base(local[last]), func() ([]byte, error) {
		return debian.ReadDebFile(local[last], "bin/busybox", "usr/bin/busybox")
	})
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", busybox, err)
	}
	err = os.WriteFile(filepath.Join(dir, "busybox"), program, 0o755) //nolint:gosec // it is to be executed
	for _, name := range []string{"extract.sh", "ask.sh", "askone.sh"} {
		script, readErr := scripts.ReadFile("scripts/" + name)
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(dir, name), script, 0o600))
	}
	return err
}

// fetch downloads packages into the cache, several at a time.
func (a *archive) fetch(ctx context.Context, packages []*debian.Package) ([]string, error) {
	local := make([]string, len(packages))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, p := range packages {
		group.Go(func() (err error) {
			local[i], err = a.getter.Package(ctx, a.mirrors, p)
			return err
		})
	}
	return local, group.Wait()
}

// placeDeb places a package so that busybox can unpack it.
func placeDeb(from, to string) error {
	plain, err := debian.PlainDeb(from)
	if err == nil && plain == nil {
		return place(from, to)
	}
	if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755)); err != nil { //nolint:gosec // packed and removed
		return err
	}
	return os.WriteFile(to, plain, 0o600)
}

// place puts a file of the cache into the directory that a layer is packed from, as a hard
// link where possible.
func place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // packed and removed
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from) //nolint:gosec // a file of the cache
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600) //nolint:gosec // next to the other tools
}

// aptConf makes apt answer from the indexes alone and the same way everywhere. It need not
// verify them again, and the engine's clock may be wrong. Without ForceEssential, apt
// counts itself among the essential packages.
const aptConf = `Acquire::Languages "none";
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
pkgCacheGen::ForceEssential ",";
`

// writeIndexes fills a directory with the part of the indexes as a repository that apt reads
// from disk: a numbered directory for each, the same paths below as on a mirror.
func (a *archive) writeIndexes(dir string) error {
	sources, err := a.sourcesList()
	if err != nil {
		return err
	}
	conf := aptConf + fmt.Sprintf("APT::Architecture %q;\nAPT::Architectures { %q; };\n", a.arch, a.arch)
	problems := []error{
		os.WriteFile(filepath.Join(dir, "sources.list"), []byte(sources), 0o600),
		os.WriteFile(filepath.Join(dir, "apt.conf"), []byte(conf), 0o600),
	}
	problems = append(problems, os.WriteFile(filepath.Join(dir, "nameless"), []byte(a.nameless()), 0o600))
	for _, r := range a.releases {
		files := map[string][]byte{}
		for i, f := range a.files {
			if f.Release == r {
				files[f.PlainName()] = a.part.Text(i)
			}
		}
		files["Release"] = r.Listing(files)
		for name, text := range files {
			name = filepath.Join(a.directory(dir, r.Repository), r.Dir(), name)
			problems = append(problems, os.MkdirAll(filepath.Dir(name), 0o755), //nolint:gosec // packed and removed
				os.WriteFile(name, text, 0o600))
		}
	}
	return errors.Join(problems...)
}

// nameless lists the packages whose paths have no extension, as lines of URL and
// name=version: for these, apt's answer lacks its usual NAME_VERSION_ARCH.EXTENSION.
func (a *archive) nameless() string {
	var list strings.Builder
	for _, p := range a.part.All() {
		if !strings.Contains(path.Base(p.Filename), ".") {
			fmt.Fprintf(&list, "'file:%s' %s=%s\n", path.Join(a.directory("/repository", p.Release.Repository), p.Filename), p.Name, p.Version)
		}
	}
	return list.String()
}

func (a *archive) directory(dir, repository string) string {
	return filepath.Join(dir, strconv.Itoa(slices.Index(a.repositories(), repository)))
}

// sourcesList marks the sources as trusted, since the signatures were checked here and
// apt gets the signed text without them.
func (a *archive) sourcesList() (string, error) {
	var list strings.Builder
	for _, s := range a.sources {
		if !filepath.IsLocal(path.Clean(s.Suite)) || strings.ContainsAny(s.Suite+strings.Join(s.Components, ""), " \t\n[]#'") {
			return "", fmt.Errorf("%s: invalid character in a suite or component", s.Subject())
		}
		fields := append([]string{"deb [trusted=yes]", "file:" + a.directory("/repository", s.Repository), s.Suite}, s.Components...)
		fmt.Fprintln(&list, strings.Join(fields, " "))
	}
	return list.String(), nil
}
