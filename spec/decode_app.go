package spec

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"lamina.build/internal/toml"
	"lamina.build/lock"
)

func (d *decoder) app(r *toml.Reader, models []Model) App {
	defer r.End()
	a := App{
		Source:     d.local(r, "source", directory),
		Path:       cmp.Or(r.Text("path", target), defaultPath),
		User:       user(r),
		Entrypoint: words(r, "entrypoint", r.Take("entrypoint")),
		Command:    words(r, "command", r.Take("command")),
		Env:        env(r, models),
		Ports:      ports(r),
		StopSignal: cmp.Or(r.Text("stop-signal", stopSignal), defaultStopSignal),
		FirstStart: r.Bool("first-start"),

		Labels:      labels(r),
		Healthcheck: healthcheck(r),
		Volumes:     r.Texts("volumes", volume),
	}
	directory := a.Path
	if a.Source == "" && !r.Has("path") { // it may not exist
		directory = defaultApp().Workdir
	}
	a.Workdir = cmp.Or(r.Text("workdir", absolute), directory)
	return a
}

// env reads the app's environment, which must not set the paths of the models.
func env(r *toml.Reader, models []Model) (env map[string]string) {
	paths := map[string]bool{}
	for _, m := range models {
		path, list := lock.ModelVariables(m.Name)
		paths[path], paths[list] = true, true
	}
	r.Pairs("env", envName, func(below *toml.Reader, key, _ string) {
		put(&env, key, below.Text(key, anything))
		if paths[key] {
			below.Add(below.Table.Get(key).Offset, "env: %s is already set by its [[model]]", key)
		}
	})
	return env
}

// labels reads the labels of the image's config.
func labels(r *toml.Reader) (labels map[string]string) {
	r.Pairs("labels", labelName, func(below *toml.Reader, key, _ string) {
		if v := below.Take(key); v.Kind == toml.Map {
			below.Add(v.Offset, "labels: %s is a table; write a name with dots in quotes", key)
			return
		}
		put(&labels, key, below.Text(key, anything))
	})
	return labels
}

// debianUsers are the accounts that the package base-passwd creates.
var debianUsers = []string{
	"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy",
	"www-data", "backup", "list", "irc", "_apt", "nobody",
}

// user reads "name:uid" or "name".
func user(r *toml.Reader) User {
	v := r.Take("user")
	if !r.Fit("user", v, toml.String) {
		return defaultUser()
	}
	name, number, numbered := strings.Cut(v.Text, ":")
	user := User{Name: name}
	if !accountName.MatchString(name) {
		r.Add(v.Offset, `user: %q is not "name" or "name:uid" with a name of lower-case letters, digits, - and _`, v.Text)
		return user
	}
	if numbered && slices.Contains(debianUsers, name) {
		r.Add(v.Offset, "user: %q is a Debian account with its own uid; write user = %[1]q", name)
		return user
	}
	if numbered {
		uid, err := strconv.Atoi(number)
		if err != nil || uid < 1 || uid > 65533 || strconv.Itoa(uid) != number {
			r.Add(v.Offset, "user: the uid %q is not from 1 to 65533", number)
		}
		user.UID = uid
	}
	return user
}

// ports reads the ports that the app listens on.
func ports(r *toml.Reader) (list []int) {
	r.List("ports", func(_ string, item *toml.Value) {
		port := r.Integer("an entry of ports", item, 1, 65535)
		if port == 0 {
			return
		}
		if slices.Contains(list, port) {
			r.Add(item.Offset, "ports: %d is listed twice", port)
		}
		list = append(list, port)
	})
	return list
}

// words reads a list of strings as the arguments of a command.
func words(r *toml.Reader, key string, v *toml.Value) (words []string) {
	if !r.Fit(key, v, toml.List) {
		return nil
	}
	for i, item := range v.Items {
		if !r.Fit("an entry of "+key, item, toml.String) {
			continue
		}
		if i == 0 && item.Text == "" {
			r.Add(item.Offset, "%s: the program's name is empty", key)
		}
		if strings.ContainsRune(item.Text, 0) {
			r.Add(item.Offset, "%s: a NUL can't be part of an argument", key)
		}
		words = append(words, item.Text)
	}
	return words
}

// commands reads a list of commands, none of them empty.
func commands(r *toml.Reader, key string) (list [][]string) {
	r.List(key, func(place string, item *toml.Value) {
		if item.Kind == toml.List && len(item.Items) == 0 {
			r.Add(item.Offset, "%s is empty, want a command", place)
		}
		list = append(list, words(r, place, item))
	})
	return list
}
