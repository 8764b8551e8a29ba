package requirements

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"lamina.build/internal/failure"
)

var (
	variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)\}`) // as in pip, only upper case
	userInfo = regexp.MustCompile(`([A-Za-z0-9+.-]*)://([^/?#\s]*)@([^/?#\s@]*)`)
)

// Login is a user and password as they are sent, not as a URL writes them.
type Login struct {
	User     string
	Password string
}

// Format keeps a login out of whatever is printed ([fmt.Formatter]).
func (Login) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(a login)") }

// Unset is a login whose variables are not set. That is no fault until somebody
// has to log in: a set's wishes are the same without.
type Unset struct {
	Host string // host[:port]
	Err  error  // one [Error] for each variable
}

// bare takes users and passwords out of the URLs of a line, before anything
// else may repeat them.
func (r *reader) bare(l line) string {
	return userInfo.ReplaceAllStringFunc(l.text, func(found string) string {
		m := userInfo.FindStringSubmatch(found)
		if strings.HasSuffix(m[1], "ssh") && !strings.Contains(m[2], ":") {
			return found
		}
		r.fault(l, r.login(l, m[2], strings.ToLower(strings.TrimRight(m[3], `"'`))))
		return m[1] + "://" + m[3]
	})
}

// login keeps who to be at a host. As in pip, variables are replaced before
// percent signs are decoded.
func (r *reader) login(l line, user, host string) error {
	if _, password, _ := strings.Cut(user, ":"); password != "" && !variable.MatchString(password) {
		return errors.New("the URL holds a password; write ${NAME} in its place or use ~/.netrc")
	}
	var unset []error
	text := variable.ReplaceAllStringFunc(user, func(v string) (value string) {
		name := v[2 : len(v)-1]
		if r.Env != nil {
			value = r.Env(name)
		}
		if value == "" {
			unset = append(unset, &Error{l.file, l.number, fmt.Errorf("variable %s is not set", name)})
		}
		return value
	})
	if unset != nil {
		r.set.Unset = append(r.set.Unset, Unset{host, failure.New(failure.Usage, errors.Join(unset...))})
		return nil
	}
	name, password, _ := strings.Cut(text, ":")
	login := Login{unquote(name), unquote(password)}
	if strings.ContainsFunc(login.User+login.Password, unicode.IsControl) {
		return errors.New("the URL's user or password holds a control character")
	}
	if known, found := r.set.Logins[host]; found && known != login {
		return fmt.Errorf("%q has a different user or password on another line", host)
	}
	r.set.Logins[host] = login
	return nil
}
