package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// isLicence matches the files that a licence requires to be shipped with a program.
var isLicence = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents|authors)([._-].*)?$`)

// licencesOf returns the licences of Go and of every module in the Go programs, whose names
// it reads from the programs.
func licencesOf(ctx context.Context, programs []file) ([]file, error) {
	var modules []string
	for _, p := range programs {
		if !p.program || p.name == "runc" { // covered by Debian's copyright file
			continue
		}
		info, err := buildinfo.Read(bytes.NewReader(p.data))
		if err != nil {
			return nil, err
		}
		for _, m := range info.Deps {
			if m.Version != "" && m.Version != "(devel)" {
				modules = append(modules, m.Path+"@"+m.Version)
			}
		}
	}
	slices.Sort(modules)
	dirs, err := download(ctx, slices.Compact(modules))
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for GOROOT: %w", err)
	}
	dirs["go"] = strings.TrimSpace(string(out))
	var (
		files    []file
		problems []error
	)
	for name, dir := range dirs {
		found, err := licencesIn(dir, path.Join("licences", name))
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s has no licence", name)
		}
		files, problems = append(files, found...), append(problems, err)
	}
	return files, errors.Join(problems...)
}

func licencesIn(dir, name string) (files []file, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !e.Type().IsRegular() || !isLicence.MatchString(e.Name()) {
			continue
		}
		data, readErr := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // of a module
		if readErr != nil {
			return nil, readErr
		}
		files = append(files, file{name: path.Join(name, e.Name()), data: data})
	}
	return files, err
}

// download returns the directories of modules, which Go verified when compiling them.
func download(ctx context.Context, modules []string) (dirs map[string]string, err error) {
	//nolint:gosec // modules of ours
	cmd := exec.CommandContext(ctx, "go", append([]string{"mod", "download", "-json"}, modules...)...)
	cmd.Dir = os.TempDir()                              // outside our module: the engine is built from another one
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=mod") // without a module, GOFLAGS may not be readonly
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("locating the modules: %w\n%s", err, out)
	}
	dirs = map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err = d.Decode(&m); errors.Is(err, io.EOF) {
			return dirs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading go's list of modules: %w", err)
		}
		dirs[m.Path+"@"+m.Version] = m.Dir
	}
}
