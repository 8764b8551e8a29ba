package door

import _ "embed" // the script

//go:embed bridge.py
var bridge string

// Bridge returns the Python script that stands in an exec between programs that
// speak to a proxy on a port, and the socket of a door:
//
//	python3 -I bridge.py SOCKET SECONDS COMMAND...
//
// It runs the command with the proxy variables set, hands signals on to it, and
// returns its status: 128 and the signal that ended it, or 124 once the seconds
// are over, when its process group is killed.
func Bridge() string { return bridge }
