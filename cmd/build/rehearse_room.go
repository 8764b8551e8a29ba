package main

import (
	"context"
	"os"
	"path/filepath"

	"lamina.build/internal/beside"
	"lamina.build/internal/container"
	"lamina.build/internal/engine"
)

// rehearsalRoom is a folder for all that a rehearsal makes. What killed ones left,
// containers that still run among it, goes when the next one begins.
func (a *app) rehearsalRoom(runc string) (*beside.Temporary, error) {
	cache, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	room := filepath.Join(cache, rehearsalsDir, "room")
	for _, left := range beside.Leftovers(room) {
		folders, err := os.ReadDir(left)
		if err != nil {
			return nil, err
		}
		for _, f := range folders {
			container.Sweep(runc, filepath.Join(left, f.Name()))
		}
	}
	return beside.Folder(room) // which sweeps the files
}

func (a *app) findRunc(ctx context.Context) (string, error) {
	o, err := a.engineOptions("", engine.Need{})
	if err != nil {
		return "", err
	}
	return o.FetchRunc(ctx)
}
