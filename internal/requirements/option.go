package requirements

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// option is one that a line may hold.
type option struct {
	long  string
	short string
	flag  bool  // it has no value
	apply apply // what it says on a line of its own
	stop  bool  // it can't be used anywhere
}

// apply does what an option says.
type apply func(r *reader, l line, value string) error

// setting is an option that was given.
type setting struct {
	option
	value string
}

// settings reads the options at the end of a line.
func (r *reader) settings(text string) ([]setting, error) {
	if text == "" {
		return nil, nil
	}
	words, err := shellWords(text)
	var given []setting
	var errs []error
	for len(words) > 0 {
		var s setting
		var wrong error
		s, words, wrong = r.setting(words)
		if wrong == nil {
			given = append(given, s)
		}
		errs = append(errs, wrong)
	}
	return given, errors.Join(append(errs, err)...)
}

// setting reads the first option of words and returns what is left of them.
func (r *reader) setting(words []string) (setting, []string, error) {
	word, words := words[0], words[1:]
	name, value, has := cutOption(word)
	o, known := r.options[name]
	switch {
	case !strings.HasPrefix(word, "-"):
		return setting{}, words, fmt.Errorf("%s stands behind an option, where pip ignores it", quote(word))
	case !known:
		return setting{}, fromDash(words), r.unknown(name)
	case has && o.flag:
		return setting{}, words, fmt.Errorf("option %s takes no value", name)
	case !o.flag && !has && len(words) > 0 && !strings.HasPrefix(words[0], "-"):
		value, words = words[0], words[1:]
	}
	if !o.flag && value == "" {
		return setting{}, words, fmt.Errorf("option %s has no value", name)
	}
	return setting{o, value}, words, nil
}

// fromDash leaves out what may be the value of an unknown option.
func fromDash(words []string) []string {
	for len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	return words
}

// unknown says which option was likely meant. Short ones are all alike.
func (r *reader) unknown(name string) error {
	names := slices.Sorted(maps.Keys(r.options))
	names = slices.DeleteFunc(names, func(n string) bool { return len(n) < len("--x") })
	return fmt.Errorf("unknown option %s%s", quote(name), didYouMean(name, names))
}

// cutOption splits --name=value and -nvalue.
func cutOption(word string) (name, value string, has bool) {
	if strings.HasPrefix(word, "--") || len(word) < 3 {
		return strings.Cut(word, "=")
	}
	return word[:2], word[2:], true
}
