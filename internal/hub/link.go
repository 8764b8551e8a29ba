package hub

import "strings"

// nextLink finds the target of rel="next" in Link headers (RFC 8288, section 3):
// <target>; name=value; name="quoted value", <target>; …
func nextLink(headers []string) (target string, found bool) {
	for _, rest := range headers {
		for rest != "" {
			var rels string
			target, rels, rest = cutLink(rest)
			if hasWord(rels, "next") {
				return target, true
			}
		}
	}
	return "", false
}

// cutLink takes the first link off a header.
func cutLink(header string) (target, rels, rest string) {
	_, rest, _ = strings.Cut(header, "<")
	target, rest, _ = strings.Cut(rest, ">")
	for rest != "" {
		var name, value string
		name, value, rest = cutParameter(rest)
		if strings.EqualFold(name, "rel") && rels == "" { // further ones don't count
			rels = value
		}
		if strings.HasPrefix(rest, ",") {
			return target, rels, rest[1:]
		}
	}
	return target, rels, ""
}

// cutParameter takes the first parameter off, up to the semicolon or comma after it.
func cutParameter(text string) (name, value, rest string) {
	text = strings.TrimLeft(text, "; \t")
	end := strings.IndexAny(text, "=;,")
	if end < 0 {
		return strings.TrimSpace(text), "", ""
	}
	name, rest = strings.TrimSpace(text[:end]), text[end:]
	if rest[0] != '=' {
		return name, "", rest
	}
	rest = strings.TrimLeft(rest[1:], " \t")
	if strings.HasPrefix(rest, `"`) {
		value, rest = cutQuoted(rest[1:])
	} else {
		end := strings.IndexAny(rest+";", ";,")
		value, rest = strings.TrimSpace(rest[:end]), rest[end:]
	}
	if end := strings.IndexAny(rest, ";,"); end >= 0 {
		return name, value, rest[end:]
	}
	return name, value, ""
}

// cutQuoted reads up to the closing quote; a backslash keeps what follows it.
func cutQuoted(text string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:]
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}

func hasWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
