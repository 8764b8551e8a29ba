package spec

import (
	"slices"
	"strconv"
	"strings"

	"lamina.build/lock"
)

func (d *decoder) app(r *reader, models []Model) App {
	defer r.end()
	a := App{
		Source:     r.local("source", folder),
		Path:       orElse(r.text("path", target), defaultPath),
		User:       r.user(),
		Entrypoint: r.words("entrypoint", r.take("entrypoint")),
		Command:    r.words("command", r.take("command")),
		Env:        r.env(models),
		Ports:      r.ports(),
		StopSignal: orElse(r.text("stop-signal", stopSignal), defaultStopSignal),
	}
	a.Workdir = orElse(r.text("workdir", absolute), a.Path)
	return a
}

// env reads the app's environment; where the models lie is not part of it.
func (r *reader) env(models []Model) map[string]string {
	env, paths := map[string]string{}, map[string]bool{}
	for _, m := range models {
		path, list := lock.ModelVariables(m.Name)
		paths[path], paths[list] = true, true
	}
	r.pairs("env", envName, func(below *reader, key, _ string) {
		env[key] = below.text(key, anything)
		if paths[key] {
			below.faults.add(below.table.get(key).offset,
				"env: %s is set by its [[model]] already", key)
		}
	})
	if len(env) == 0 {
		return nil
	}
	return env
}

// debianUsers are the accounts that the package base-passwd creates.
var debianUsers = []string{
	"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy",
	"www-data", "backup", "list", "irc", "_apt", "nobody",
}

// user reads "name:uid" or "name".
func (r *reader) user() User {
	v := r.take("user")
	if v == nil || !r.fit("user", v, kindString) {
		return defaultUser()
	}
	name, number, numbered := strings.Cut(v.text, ":")
	user := User{Name: name, UID: defaultUID}
	if !accountName.MatchString(name) {
		r.faults.add(v.offset,
			`user: %q is not "name" or "name:uid" with a name of lower-case letters, digits, - and _`, v.text)
		return user
	}
	if slices.Contains(debianUsers, name) {
		r.faults.add(v.offset, "user: %q is an account of Debian's own, want another name", name)
	}
	if numbered {
		uid, err := strconv.Atoi(number)
		if err != nil || uid < 1 || uid > 65533 || strconv.Itoa(uid) != number {
			r.faults.add(v.offset, "user: the uid %q is not from 1 to 65533", number)
		}
		user.UID = uid
	}
	return user
}
