package engine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"lamina.build/internal/failure"
)

const (
	elsewhere = "or use an engine elsewhere: --addr or BUILDKIT_HOST, or --builder for a docker buildx builder"
	inDocker  = "with Docker: docker run -d --name buildkitd --privileged moby/buildkit:" + Version +
		", then --addr docker-container://buildkitd"
)

// host is what the private engine requires of the machine.
type host struct {
	system string
	euid   int
	mounts string // content of /proc/self/mounts
	user   account
}

func thisHost() (host, error) {
	h := host{system: runtime.GOOS, euid: os.Geteuid()}
	if h.system != "linux" {
		return h, nil
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return h, fmt.Errorf("reading the mounts of this machine: %w", err)
	}
	h.mounts = string(mounts)
	if h.euid != 0 {
		h.user = thisAccount()
	}
	return h, nil
}

// unfit returns every reason why no private engine can run here, nil if it can.
func (h host) unfit() error {
	var problems []error
	switch {
	case h.system != "linux":
		problems = append(problems, fmt.Errorf("the private engine needs Linux; this is %s", h.system))
	case h.euid != 0:
		problems = h.user.unfit()
	case !h.hasCgroups():
		problems = append(problems, failure.WithHint(
			errors.New("the private engine needs cgroups, and none are mounted"),
			"mount -t cgroup2 none /sys/fs/cgroup",
		))
	}
	if len(problems) == 0 {
		return nil
	}
	err := failure.New(failure.NoEngine, &unfitHostError{errors.Join(problems...)})
	return failure.WithHint(failure.WithHint(err, inDocker), elsewhere)
}

// unfitHostError means that no private engine can run on this machine.
type unfitHostError struct{ error }

func (u *unfitHostError) Unwrap() error { return u.error }

func (h host) hasCgroups() bool {
	for line := range strings.Lines(h.mounts) {
		if f := strings.Fields(line); len(f) > 2 && (f[2] == "cgroup" || f[2] == "cgroup2") {
			return true
		}
	}
	return false
}
