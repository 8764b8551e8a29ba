package uv

import "strings"

// ParseNetrc reads the logins of a .netrc, the file that pip, git and curl
// share, as Python does for pip: words may be quoted, and of two entries for a
// host the later one counts. "default" entries and macros are no logins for a
// host, and are left out.
func ParseNetrc(data []byte) Logins {
	logins := Logins{}
	host := ""
	words := netrcWords{string(data)}
	for word, ok := words.next(); ok; word, ok = words.next() {
		login := logins[host]
		switch word {
		case "machine":
			host, _ = words.next()
			host = strings.ToLower(host)
			delete(logins, host)
			continue
		case "default":
			host = ""
			continue
		case "login", "user":
			login.User, _ = words.next()
		case "password":
			login.Password, _ = words.next()
		case "account":
			_, _ = words.next()
			continue
		default:
			words.skip(word)
			continue
		}
		if host != "" {
			logins[host] = login
		}
	}
	return logins
}

// netrcWords is what is left of a .netrc to read.
type netrcWords struct{ rest string }

const netrcSpace = " \t\r\n"

// next reads a word. A backslash takes the next character as it is.
func (w *netrcWords) next() (word string, ok bool) {
	w.rest = strings.TrimLeft(w.rest, netrcSpace)
	if w.rest == "" {
		return "", false
	}
	ends := netrcSpace
	if w.rest[0] == '"' {
		ends, w.rest = `"`, w.rest[1:]
	}
	var text strings.Builder
	i := 0
	for ; i < len(w.rest) && !strings.ContainsRune(ends, rune(w.rest[i])); i++ {
		if w.rest[i] == '\\' && i+1 < len(w.rest) {
			i++
		}
		text.WriteByte(w.rest[i])
	}
	if i < len(w.rest) && ends == `"` {
		i++
	}
	w.rest = w.rest[i:]
	return text.String(), true
}

// skip leaves out what a comment or a macro brings: the rest of its line, and of
// a macro all lines until an empty one.
func (w *netrcWords) skip(word string) {
	isMacro := word == "macdef"
	if !isMacro && !strings.HasPrefix(word, "#") {
		return
	}
	_, w.rest, _ = strings.Cut(w.rest, "\n")
	for isMacro && w.rest != "" {
		var line string
		if line, w.rest, _ = strings.Cut(w.rest, "\n"); strings.TrimSpace(line) == "" {
			return
		}
	}
}
