// Package scripts holds the programs that run inside the execs of a build. The one that unpacks
// sdists also serves the resolving of a lock, and keys.json, which describes private keys,
// also serves the client for what it packs.
package scripts

import "embed"

//go:embed *.py *.sh *.pl *.json *.tsv
var files embed.FS

// Named returns scripts by name. A missing one is a bug, and panics.
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
