package engine

import "github.com/moby/buildkit/client"

// What the tests of package engine_test reach into.
var (
	ParseVersion = parseVersion
	CountLocks   = countLocks
)

// HostUnfit checks an imagined machine.
func HostUnfit(system string, euid int, mounts string) error {
	return host{system: system, euid: euid, mounts: mounts}.unfit()
}

// Unfit checks an imagined engine.
func Unfit(version string, worker *client.WorkerInfo, free int64, need Need) error {
	return report{version: version, worker: worker, free: free}.unfit(need)
}

// Socket is where the engine of a state folder listens.
func Socket(stateDir string) string { return state{dir: stateDir}.socket() }

// Tail returns the last n lines.
func Tail(text string, n int) string { return string(tail([]byte(text), n)) }
