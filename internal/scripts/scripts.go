// Package scripts holds the programs that run inside the execs of a build. One of
// them unpacks sdists, which the resolving of a lock does as well, and keys.json says
// what private keys look like, which the client asks for what it packs itself.
package scripts

import "embed"

//go:embed *.py *.sh *.pl *.json *.tsv
var files embed.FS

// Named returns scripts by their names. One that is not there is a bug, and panics.
func Named(names ...string) map[string]string {
	scripts := make(map[string]string, len(names)+1)
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			panic("internal error: " + err.Error())
		}
		scripts[name] = string(data)
	}
	return scripts
}
