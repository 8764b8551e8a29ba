// Package userinfo removes users and passwords from the URLs of a text, as in pip's
// requirement files, where a password is an environment variable, "${TOKEN}".
package userinfo

import (
	"encoding/hex"
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

// Login is a user and password as they are sent, not as a URL encodes them.
type Login struct {
	User     string
	Password string
}

// Format keeps a login out of all output ([fmt.Formatter]).
func (Login) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(a login)") }

// Unset is a login whose variables are not set. That is no problem until a request needs
// the login: the requirements are the same without it.
type Unset struct {
	Host string // host[:port]
	Err  error  // one for each variable
}

// Found are the logins that were found.
type Found struct {
	Logins map[string]Login // by host[:port]
	Unset  []Unset          // the logins that are missing
}

// Take returns a text without the users and passwords of its URLs, which must not be
// repeated, and the problems with them. at adds a position to an error, and env returns
// the value of a variable.
func (f *Found) Take(text string, env func(string) string, at func(error) error) (bare string, problems []error) {
	bare = userInfo.ReplaceAllStringFunc(text, func(found string) string {
		m := userInfo.FindStringSubmatch(found)
		if strings.HasSuffix(m[1], "ssh") && !strings.Contains(m[2], ":") {
			return found
		}
		if strings.HasPrefix(m[1], "git+http") && !strings.ContainsAny(m[2], ":$") { // as in git@github.com: git sends no user alone
			return m[1] + "://" + m[3]
		}
		if err := f.login(m[2], strings.ToLower(strings.TrimRight(m[3], `"'`)), env, at); err != nil {
			problems = append(problems, at(err))
		}
		return m[1] + "://" + m[3]
	})
	return bare, problems
}

// login records the login of a host. As in pip, variables are expanded before percent
// signs are decoded.
func (f *Found) login(user, host string, env func(string) string, at func(error) error) error {
	if _, password, _ := strings.Cut(user, ":"); password != "" && !variable.MatchString(password) {
		return errors.New("the URL contains a password; write ${NAME} instead or use ~/.netrc")
	}
	var unset []error
	text := variable.ReplaceAllStringFunc(user, func(v string) (value string) {
		name := v[2 : len(v)-1]
		if env != nil {
			value = env(name)
		}
		if value == "" {
			unset = append(unset, at(fmt.Errorf("variable %s is not set", name)))
		}
		return value
	})
	if unset != nil {
		f.Unset = append(f.Unset, Unset{host, failure.New(failure.Usage, errors.Join(unset...))})
		return nil
	}
	name, password, _ := strings.Cut(text, ":")
	login := Login{Unquote(name), Unquote(password)}
	if strings.ContainsFunc(login.User+login.Password, unicode.IsControl) {
		return errors.New("the URL's user or password contains a control character")
	}
	if known, ok := f.Logins[host]; ok && known != login {
		return fmt.Errorf("%q has a different user or password on another line", host)
	}
	if f.Logins == nil {
		f.Logins = map[string]Login{}
	}
	f.Logins[host] = login
	return nil
}

// Split returns an address without its login, and the login. Unlike net/url, it accepts
// any characters in it, as pip and uv do.
func Split(address string) (bare string, login Login, ok bool) {
	at := userInfo.FindStringSubmatchIndex(address)
	if at == nil || at[0] != 0 {
		return address, Login{}, false
	}
	user, password, _ := strings.Cut(address[at[4]:at[5]], ":")
	return address[:at[4]] + address[at[6]:], Login{Unquote(user), Unquote(password)}, true
}

var quoted = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// Unquote decodes a part of a URL. A % that is not quoting anything stays, as in Python.
func Unquote(s string) string {
	return quoted.ReplaceAllStringFunc(s, func(code string) string {
		data, _ := hex.DecodeString(code[1:])
		return string(data)
	})
}
