package main

import (
	"fmt"
	"os"

	"lamina.build/internal/debian"
	"lamina.build/internal/fault"
	"lamina.build/lock"
)

// mirrors says where each repository is fetched from: as the flag has it, else
// the environment, the spec, the apt of this host, else the archive of
// Debian's past, which alone never drops a version. Further repositories are
// at the URL of the spec unless they are named in one of these.
func (a *app) mirrors(flag, spec string, l lock.Lock) (debian.Mirrors, error) {
	byFlag, err := debian.ParseMirrors(flag)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("flag --debian-mirror: %w", err))
	}
	byEnv, err := debian.ParseMirrors(a.env("LAMINA_DEBIAN_MIRROR"))
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("LAMINA_DEBIAN_MIRROR: %w", err))
	}
	bySpec, err := debian.ParseMirrors(spec)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("mirror of the spec: %w", err))
	}
	ways := []debian.Mirrors{byFlag, byEnv, bySpec, debian.HostMirrors(os.DirFS("/")), further(l)}
	if created := l.Created(); !created.IsZero() {
		ways = append(ways, debian.Snapshot(created))
	}
	return debian.Merge(ways...), nil
}

// further are the repositories beside Debian's own, at the URLs of the lock.
func further(l lock.Lock) debian.Mirrors {
	mirrors := debian.Mirrors{}
	for _, r := range l.Repositories {
		mirrors[r.Name] = r.URL
	}
	return mirrors
}
