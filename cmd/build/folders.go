package main

import (
	"errors"
	"path/filepath"

	"lamina.build/internal/fault"
)

// cacheDir is where everything is kept that can be had again.
func (a *app) cacheDir() (string, error) {
	if dir := a.env("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "lamina"), nil
	}
	if home := a.env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".cache", "lamina"), nil
	}
	err := fault.New(fault.Usage, errors.New(
		"no folder to keep a cache in: neither XDG_CACHE_HOME nor HOME is an absolute path",
	))
	return "", fault.WithHint(err, "set XDG_CACHE_HOME")
}
