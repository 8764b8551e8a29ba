package uv

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/failure"
)

// Git repositories that are named by ssh are fetched by https, with the login of
// their host: no exec has a key, and no engine an agent.

var sshAddress = regexp.MustCompile(`ssh://(?:[^\s@/]+@)?([A-Za-z0-9.-]+)(?::\d+)?/`)

// overHTTPS rewrites the addresses of a text. Of a host without a login it is an
// error.
func (l Logins) overHTTPS(text string) (string, error) {
	var faults []error
	text = sshAddress.ReplaceAllStringFunc(text, func(at string) string {
		host := sshAddress.FindStringSubmatch(at)[1]
		if _, ok := l.of(host); !ok {
			faults = append(faults, needsLogin(host))
		}
		return "https://" + host + "/"
	})
	return text, errors.Join(faults...)
}

func needsLogin(host string) error {
	err := failure.New(failure.Usage, fmt.Errorf("%s: a repository there is named by ssh, for which a lock has no key", host))
	return failure.WithHint(err, fmt.Sprintf("put a login for %s into ~/.netrc, and it is fetched by https; or write git+https://%s/… where it needs none", host, host))
}

// overHTTPS words a request without ssh.
func (q *question) overHTTPS(logins Logins) error {
	var faults []error
	rewrite := func(text *string, at string) {
		var err error
		if *text, err = logins.overHTTPS(*text); err != nil {
			faults = append(faults, fmt.Errorf("%s%w", at, err))
		}
	}
	for i := range q.Requirements {
		rewrite(&q.Requirements[i].Line, q.places[i].at+": ")
	}
	q.Constraints, q.Overrides = slices.Clone(q.Constraints), slices.Clone(q.Overrides)
	for i := range q.Constraints {
		rewrite(&q.Constraints[i], q.places[len(q.Requirements)+i].at+": ")
	}
	for i := range q.Overrides {
		rewrite(&q.Overrides[i], q.at(&answerFault{Project: projectWord.FindString(q.Overrides[i])})+"[python] overrides: ")
	}
	return errors.Join(faults...)
}

// gitConfig has git itself take https for ssh on the hosts of some addresses, in the form that it
// reads from the environment: submodules and requirements of others name them, too.
func (l Logins) gitConfig(addresses []string) []string {
	var config []string
	count := 0
	hosts := map[string]bool{}
	for _, address := range addresses {
		hosts[key(hostOf(address))] = true
	}
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		if _, ok := l.of(host); !ok {
			continue
		}
		for _, form := range []string{"ssh://git@" + host + "/", "git@" + host + ":", "ssh://" + host + "/"} {
			config = append(config, fmt.Sprintf("GIT_CONFIG_KEY_%d=url.https://%s/.insteadOf", count, host), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", count, form))
			count++
		}
	}
	if count == 0 {
		return nil
	}
	return append(config, fmt.Sprintf("GIT_CONFIG_COUNT=%d", count))
}

// isSSH says whether git was to go by ssh.
func isSSH(text string) (host string, ok bool) {
	found := sshAddress.FindStringSubmatch(text)
	if found == nil || !strings.Contains(text, "git") {
		return "", false
	}
	return found[1], true
}
