package spec

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lamina.build/internal/failure"
	"lamina.build/internal/toml"
	"lamina.build/lock"
)

// pattern returns a check for words that match a regular expression; what describes such
// a word and its syntax.
func pattern(expression, what string) toml.Check {
	re := regexp.MustCompile(`^(?:` + expression + `)$`)
	return func(s string) (string, error) {
		if !re.MatchString(s) {
			return "", fmt.Errorf("%q is not %s", s, what)
		}
		return s, nil
	}
}

// oneOf returns a check for the words of a closed list.
func oneOf(words ...string) toml.Check {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("%q is not one of %s%s", s, strings.Join(words, ", "), failure.DidYouMean(s, words))
		}
		return s, nil
	}
}

// The words of a spec.
var (
	imageName = pattern(`[a-z0-9]+([._-][a-z0-9]+)*`,
		"a name (lower-case letters and digits, joined by single - . _)")
	variantName = pattern(`[a-z][a-z0-9]*(-[a-z0-9]+)*`,
		"a variant's name (a letter, then lower-case letters and digits, joined by single -)")
	modelName = pattern(`[a-z0-9]+(-[a-z0-9]+)*`,
		"a model's name (lower-case letters and digits, joined by single -)")
	suiteName      = pattern(`[a-z][a-z0-9]*(-[a-z0-9]+)*`, "a Debian suite (others are a [[debian.repository]])")
	componentName  = pattern(`[a-z][a-z0-9-]*(/[a-z0-9-]+)*`, "a Debian component")
	repositoryName = pattern(`[a-z0-9]+([.-][a-z0-9]+)*`,
		"a repository's name (lower-case letters and digits, joined by single - .)")
	indexName = pattern(`[A-Za-z0-9]+([._-][A-Za-z0-9]+)*`,
		"an index's name (letters and digits, joined by single - . _)")
	envName    = pattern(`[A-Za-z_][A-Za-z0-9_]*`, "a variable's name (letters, digits and _, no digit first)")
	labelName  = pattern(`[^\s=[:cntrl:]]+`, "a label's name (without spaces and =)")
	moduleName = pattern(`[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*`, "a Python module")
	// PEP 508's name of a project, and a name followed by extras, versions and markers.
	projectName = pattern(`[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`, "a Python project's name")
	requirement = pattern(`[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*([\[=<>!~;@(].*)?`,
		`a Python requirement ("name", "name==version")`)
	commit = pattern(lock.CommitPattern, "a commit (40 hexadecimal digits in lower case)")
	soname = pattern(`[A-Za-z0-9_][A-Za-z0-9_.+-]*`, `a library's name ("libcuda.so.1") or an absolute path`)

	platform = oneOf("linux/amd64", "linux/arm64")
	weights  = oneOf(WeightsLayers, WeightsNone)

	answerWords = regexp.MustCompile(`^(\S+) +(\S+/\S+) +(\S+)(?: +(.*))?$`)
	answerType  = oneOf("boolean", "multiselect", "password", "select", "string")

	plainPackage = pattern(`[a-z0-9][a-z0-9+.-]+`,
		"a Debian package name (two or more of lower-case letters, digits, + - .)")
	signals = []string{
		"SIGABRT", "SIGALRM", "SIGCONT", "SIGHUP", "SIGINT", "SIGKILL", "SIGPWR", "SIGQUIT", "SIGRTMIN+3",
		"SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH",
	}
)

// packageName checks the name of a Debian package, with or without its suite:
// "cmake/bookworm-backports".
func packageName(s string) (string, error) {
	if name, suite, found := strings.Cut(s, "/"); found {
		_, err := packageName(name)
		_, bad := suiteName(suite)
		return s, cmp.Or(err, bad)
	}
	if name, _, found := strings.Cut(s, "="); found {
		return "", fmt.Errorf("%q has a version, but image.lock determines versions; write %q", s, name)
	}
	if name, arch, found := strings.Cut(s, ":"); found {
		return "", fmt.Errorf("%q has architecture %s, but packages are always for the image's platform; write %q", s, arch, name)
	}
	return plainPackage(s)
}

// answer checks an answer to a question of a package, and returns it in the form of
// debconf-set-selections.
func answer(s string) (string, error) {
	words := answerWords.FindStringSubmatch(s)
	if words == nil || strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not \"PACKAGE QUESTION TYPE VALUE\" (\"postfix postfix/main_mailer_type select Local only\")", s)
	}
	if _, err := plainPackage(words[1]); err != nil {
		return "", err
	}
	kind, value := words[3], words[4]
	if _, err := answerType(kind); err != nil {
		return "", fmt.Errorf("%q: type %w", s, err)
	}
	if kind == "boolean" && value != "true" && value != "false" {
		return "", fmt.Errorf("%q: a boolean is true or false", s)
	}
	return strings.TrimRight(strings.Join(words[1:], " "), " "), nil
}

// stopSignal checks the name of the signal that ends the app.
func stopSignal(s string) (string, error) {
	if slices.Contains(signals, s) {
		return s, nil
	}
	full := strings.ToUpper(s)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	return "", fmt.Errorf("%q is not the name of a signal%s", s, failure.DidYouMean(full, signals))
}

// sentence checks one line of text for people.
func sentence(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", fmt.Errorf("%q is empty", s)
	}
	if strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not one line of plain text", s)
	}
	return s, nil
}

// anything checks the value of an environment variable.
func anything(s string) (string, error) {
	if strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("%q holds a NUL", s)
	}
	return s, nil
}
