package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"lamina.build/internal/debian"
)

// locked returns the runc of the tarballs: Debian's own, by hash. Compiling its Go module
// would need a C compiler for each platform, and libseccomp, since BuildKit gives every step a
// seccomp profile, which a runc without libseccomp refuses; Debian's needs glibc 2.34 and
// libseccomp2 on the machine, where systemd and apt have installed them. For another version,
// see `apt-cache show runc`, of either architecture.
func locked(arch string) (name string, want debian.File) {
	const path = "pool/main/r/runc/runc_1.1.5+ds1-1+deb12u1_"
	return path + arch + ".deb", map[string]debian.File{
		"amd64": {Size: 2709960, SHA256: "a00351f8c0318de0b424ecf5cd0fdb69880a89f3511cae4f6fff7de3e57881c5"},
		"arm64": {Size: 2337376, SHA256: "9cd43580a5e01bbcb57b662aa94df63914ffde088e9f739324cf0d6fb87c38c0"},
	}[arch]
}

// there returns a day on which Debian had it: Debian's snapshot archive keeps it.
func there() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// runc returns the program and its copyright file.
func (o options) runc(ctx context.Context, arch string) ([]file, error) {
	named, err := debian.ParseMirrors(o.mirror)
	if err != nil {
		return nil, err
	}
	name, want := locked(arch)
	archive := debian.Snapshot(there())
	getter := debian.NewGetter(o.cache)
	deb, err := getter.Get(ctx, debian.Merge(named, debian.HostMirrors(os.DirFS("/")), archive).URL(debian.Main, name), want)
	if debian.IsNotFound(err) { // a mirror drops it once there is a newer one
		deb, err = getter.Get(ctx, archive.URL(debian.Main, name), want)
	}
	if err != nil {
		return nil, fmt.Errorf("fetching runc: %w", err)
	}
	files := []file{{name: "runc", program: true}, {name: "licences/runc/copyright"}}
	for i, path := range []string{"usr/sbin/runc", "usr/share/doc/runc/copyright"} {
		if files[i].data, err = debian.ReadDebFile(deb, path); err != nil {
			return nil, fmt.Errorf("unpacking runc: %w", err)
		}
	}
	return files, nil
}
