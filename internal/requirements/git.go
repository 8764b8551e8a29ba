package requirements

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"lamina.build/internal/fault"
)

var fullCommit = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

// checkout reads the URL of a repository, without the git+, as pip documents
// it (https://pip.pypa.io/en/stable/topics/vcs-support/).
func checkout(p project, text string) (Requirement, error) {
	text, fragment, _ := strings.Cut(text, "#")
	address, commit := cutCommit(text)
	address, err := webURL(address)
	if err != nil {
		return Requirement{}, err
	}
	parts, broken := parseFragment(fragment)
	p, other := p.or(parts.project)
	if err = errors.Join(checkPin(address, commit), broken, other); err == nil {
		err = checkParts(p, parts, address, commit)
	}
	if err != nil {
		return Requirement{}, err
	}
	commit = strings.ToLower(commit)
	return Requirement{
		Line: p.at("git+" + address + "@" + commit + parts.String()), Name: Normal(p.name), Kind: Git,
		URL: address, Commit: commit, Subdirectory: parts.subdirectory,
	}, nil
}

// cutCommit splits a URL at the last @ of its path.
func cutCommit(s string) (address, commit string) {
	i, slash := strings.LastIndexByte(s, '@'), strings.Index(s, "://")
	if slash < 0 || i < slash+3+strings.IndexByte(s[slash+3:]+"/", '/') {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// checkParts says what a repository must have beside its commit, and can't.
func checkParts(p project, parts fragment, address, commit string) error {
	switch {
	case strings.Contains(address, "?"):
		return fmt.Errorf("git+%s has a query, want a plain address", address)
	case parts.hash != "":
		return fmt.Errorf("git+%s has a hash, which its commit is already", address)
	case p.name == "":
		return fault.WithHint(fmt.Errorf("git+%s has no name", address),
			fmt.Sprintf("write \"NAME @ git+%s@%s\"", address, commit))
	}
	return nil
}

func checkPin(address, commit string) error {
	if fullCommit.MatchString(commit) {
		return nil
	}
	whole := "git+" + address
	if commit != "" {
		whole += "@" + commit
	}
	return fault.WithHint(fmt.Errorf("%s is not pinned to a commit; write @<40 hexadecimal digits>", whole),
		fmt.Sprintf("\"git ls-remote %s\" lists commits", address))
}
