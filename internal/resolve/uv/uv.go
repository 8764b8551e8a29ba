package uv

import (
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/llb"
	"lamina.build/lock"
)

// The wheels of uv that Lamina resolves and installs with: static binaries, for
// musl. Their hashes are pinned here; another uv is another Lamina.
func uvWheel(platform string) (lock.UV, error) {
	const version, files = "0.13.9", "https://files.pythonhosted.org/packages/"
	switch platform {
	case "linux/amd64":
		return lock.UV{
			Version: version, File: "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl", Size: 19295638,
			URL:    files + "fe/fe/794884de0efd3ac77a427cab21aa72c0483e100c55a42cd5cbb02c141b84/uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
			SHA256: "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
		}, nil
	case "linux/arm64":
		return lock.UV{
			Version: version, File: "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl", Size: 18026789,
			URL:    files + "57/15/94b6cd62ac3ff6550288328e8035288875197cbc183f51554b266a69877b/uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
			SHA256: "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
		}, nil
	}
	return lock.UV{}, failure.New(failure.Usage, fmt.Errorf("platform %q: Lamina has no uv for it, which installs Python packages", platform))
}

// findUV returns uv's wheel at the address that an index has for it. Of one that
// hasn't the file, and of PyPI itself, that is PyPI's.
func (o Options) findUV(ctx context.Context, platform string) (lock.UV, error) {
	uv, err := uvWheel(platform)
	if err != nil || strings.TrimRight(o.Indexes.Default, "/") == DefaultIndex {
		return uv, err
	}
	files, err := o.page(ctx, o.Indexes.Default, "uv")
	if err != nil {
		return uv, nil //nolint:nilerr // a private index need not have it
	}
	for _, f := range files {
		if f.Name == uv.File && f.Hashes["sha256"] == uv.SHA256 {
			uv.URL = f.URL
		}
	}
	return uv, nil
}

// uvPath is where an exec has uv.
const uvPath = "/.lamina/uv"

// uvState has the program at its root.
func (o Options) uvState() llb.State {
	wheel := llb.Fetch(o.uv.URL, digest.NewDigestFromEncoded(digest.SHA256, o.uv.SHA256), o.uv.File)
	return llb.UV{Wheel: llb.File{From: wheel, Path: "/" + o.uv.File}}.On(o.Builder)
}
