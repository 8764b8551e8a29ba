package requirements

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"lamina.build/internal/fault"
)

var (
	errLooseBackslash = errors.New(`a backslash joins lines only as the last character of one, without white space or a comment behind it`)

	// As in pip, only upper-case names are variables.
	variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)\}`)
)

// bare takes users and passwords out of the URLs of a line, before anything
// else may repeat them. It tells whether the rest can be understood.
func (r *reader) bare(l line) (string, bool) {
	var text strings.Builder
	rest := l.text
	for {
		before, after, found := strings.Cut(rest, "://")
		text.WriteString(before)
		if !found {
			break
		}
		authority, tail := cutAuthority(after)
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			r.login(l, before, authority[:at], authority[at+1:])
			authority = authority[at+1:]
		}
		text.WriteString("://" + authority)
		rest = tail
	}
	err := outOfPlace(text.String())
	r.fault(l, err)
	return text.String(), err == nil
}

// cutAuthority splits a URL, from behind its //, where its path begins.
func cutAuthority(s string) (authority, tail string) {
	if end := strings.IndexAny(s, "/?# \t"); end >= 0 {
		return s[:end], s[end:]
	}
	return s, ""
}

// outOfPlace reports what no line may hold once its logins are gone.
func outOfPlace(text string) error {
	if !strings.Contains(text, "${") {
		return invisible(text)
	}
	if v := variable.FindString(text); v != "" {
		return fault.WithHint(fmt.Errorf("%s stands outside of a URL's user and password", v),
			"a lock holds what every machine reads alike: write the value")
	}
	return invisible(text)
}

// invisible reports a character that pip ends a line at, or nobody sees.
func invisible(text string) error {
	if i := strings.IndexFunc(text, unreadable); i >= 0 {
		return fmt.Errorf("the line holds the control character %+q", []rune(text[i:])[0])
	}
	return nil
}

func unreadable(c rune) bool {
	return unicode.IsControl(c) && c != '\t' || c == '\u2028' || c == '\u2029'
}

// login keeps who to be at a host.
func (r *reader) login(l line, scheme, user, host string) {
	scheme = strings.ToLower(scheme)
	if !strings.HasSuffix(scheme, "http") && !strings.HasSuffix(scheme, "https") {
		return // refused for its scheme, whoever the user is
	}
	host = strings.ToLower(strings.TrimRight(host, `"'`))
	login, unset, err := r.expand(user)
	if len(unset) > 0 {
		var missing faults
		missing.add(l.file, l.number, errors.Join(unset...))
		r.set.Unset = append(r.set.Unset, Unset{host, missing.err()})
		return
	}
	if err == nil {
		err = r.keep(host, login)
	}
	r.fault(l, err)
}

// expand replaces the variables of a user and password, and returns an error
// for each that is not set. As in pip that comes before it is split and percent
// signs are decoded.
func (r *reader) expand(user string) (login Login, unset []error, err error) {
	if _, password, _ := strings.Cut(user, ":"); password != "" && !variable.MatchString(password) {
		return Login{}, nil, errors.New("the URL holds a password; write ${NAME} in its place or use ~/.netrc")
	}
	text := variable.ReplaceAllStringFunc(user, func(v string) string {
		name := v[2 : len(v)-1]
		value := r.variable(name)
		if value == "" {
			unset = append(unset, fmt.Errorf("variable %s is not set", name))
		}
		return value
	})
	name, password, _ := strings.Cut(text, ":")
	login = Login{unquote(name), unquote(password)}
	if strings.ContainsFunc(login.User+login.Password, unicode.IsControl) {
		err = errors.New("the URL's user or password holds a control character")
	}
	return login, unset, err
}

func (r *reader) variable(name string) string {
	if r.Env == nil {
		return ""
	}
	return r.Env(name)
}

// keep refuses a second login: which of them is meant for a URL of the host
// would depend on the order of the files.
func (r *reader) keep(host string, login Login) error {
	if known, ok := r.set.Logins[host]; ok && known != login {
		return fmt.Errorf("%s has a different user or password on another line", quote(host))
	}
	if r.set.Logins == nil {
		r.set.Logins = map[string]Login{}
	}
	r.set.Logins[host] = login
	return nil
}

func unquote(s string) string {
	if text, err := url.PathUnescape(s); err == nil {
		return text
	}
	return s // as Python does
}
