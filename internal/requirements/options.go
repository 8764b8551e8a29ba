package requirements

import (
	"errors"
	"fmt"
	"slices"
)

// optionTable lists the options of a requirement file
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options)
// by each of their names.
func optionTable() map[string]option {
	all := slices.Concat(itemOptions(), indexOptions(), resolverOptions(), ignoredOptions(), refusedOptions())
	table := make(map[string]option, 2*len(all))
	for _, o := range all {
		table[o.long] = o
		if o.short != "" {
			table[o.short] = o
		}
	}
	return table
}

// itemOptions hold items, or belong to one.
func itemOptions() []option {
	include := func(constraint bool) apply {
		return func(r *reader, l line, v string) error { return r.include(l, v, constraint) }
	}
	alone := func(*reader, line, string) error { return errors.New("--hash stands on a line without a requirement") }
	return []option{
		{long: "--requirement", short: "-r", apply: include(false)},
		{long: "--constraint", short: "-c", apply: include(true)},
		{long: "--editable", short: "-e"}, // never applied: it makes its line an item
		{long: "--hash", apply: alone},
	}
}

func resolverOptions() []option {
	flag := func(name string) option {
		return option{long: name, flag: true, apply: func(r *reader, _ line, _ string) error {
			r.flags[name] = true
			return nil
		}}
	}
	return []option{
		flag("--pre"), flag("--prefer-binary"), flag("--require-hashes"),
		{long: "--no-binary", apply: func(r *reader, _ line, v string) error {
			return about("--no-binary", update(r.sdists, r.wheels, v))
		}},
		{long: "--only-binary", apply: func(r *reader, _ line, v string) error {
			return about("--only-binary", update(r.wheels, r.sdists, v))
		}},
	}
}

// ignoredOptions change nothing that a lock would show.
func ignoredOptions() []option {
	ignored := func(name, why string) option {
		return option{long: name, apply: func(r *reader, l line, _ string) error {
			r.note(l, name+" is ignored: "+why)
			return nil
		}}
	}
	return []option{
		ignored("--trusted-host", "name an https index, or http for a host of your own"),
		ignored("--use-feature", "it belongs to a version of pip"),
	}
}

func refusedOptions() []option {
	refused := func(name, short, why string) option {
		return option{long: name, short: short, stop: true, apply: func(*reader, line, string) error {
			return fmt.Errorf("%s can't be used: %s", name, why)
		}}
	}
	const locked = "locked builds have no options"
	return []option{
		refused("--config-settings", "-C", locked),
		refused("--config-setting", "", locked),
		refused("--global-option", "", locked),
		refused("--install-option", "", locked),
		refused("--pypi-url", "", "it is obsolete, write --index-url"),
	}
}
