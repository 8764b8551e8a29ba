package python

import "strings"

// ParseNetrc reads the logins of a .netrc, the file that pip, git and curl
// share. "default" entries and macros are no logins for a host, and are left
// out.
func ParseNetrc(data []byte) Logins {
	logins := Logins{}
	host := ""
	words := strings.Fields(withoutMacros(string(data)))
	for i := 0; i+1 < len(words); i++ {
		login := logins[host]
		switch words[i] {
		case "machine":
			host = words[i+1]
		case "default":
			host = ""
			continue
		case "login":
			login.User = words[i+1]
		case "password":
			login.Password = words[i+1]
		case "account":
		default:
			continue
		}
		if i++; host != "" && words[i-1] != "machine" {
			logins[host] = login
		}
	}
	return logins
}

// withoutMacros drops what stands from a "macdef" to the next empty line, and
// comments.
func withoutMacros(text string) string {
	var kept []string
	inMacro := false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		inMacro = trimmed != "" && (inMacro || strings.HasPrefix(trimmed, "macdef"))
		if !inMacro && !strings.HasPrefix(trimmed, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
