package lock

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

const header = "# Written by \"build lock\": change image.toml and lock again instead of editing this.\n"

// Format returns l as the canonical text of an image.lock: TOML, sorted, one
// line an entry, so that a diff of two locks reads like a list of changes.
// It begins with a digest of all that follows it; [Parse] refuses a text whose
// digest is wrong.
func (l Lock) Format() []byte {
	body := l.body()
	return fmt.Appendf(nil, "%sdigest   = %q\n%s", header, digest.FromString(body), body)
}

func (l Lock) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version  = %d\nplatform = %s\n\n", Version, quote(l.Platform))
	fmt.Fprintf(&b, "[debian]\nsuites     = %s\ncomponents = %s\n", quotes(l.Suites), quotes(l.Components))
	block(&b, "repositories", l.Repositories, repositoryLine)
	block(&b, "requests", l.Requests, requestLine)
	block(&b, "releases", l.Releases, releaseLine)
	block(&b, "packages", l.Packages, packageLine)
	if len(l.Python) > 0 {
		b.WriteString("\n[python]\n")
		if l.UV != (UV{}) {
			fmt.Fprintf(&b, "uv = { %s }\n", uvLine(l.UV))
		}
		block(&b, "requests", l.Python, pythonRequestLine)
		block(&b, "omitted", l.Omitted, omissionLine)
		block(&b, "distributions", l.Distributions, distributionLine)
	}
	for _, m := range l.Models {
		b.WriteString(m.table())
	}
	return b.String()
}

func pythonRequestLine(r PythonRequest) string {
	return fmt.Sprintf("set = %s, lines = %s", quote(r.Set.String()), quotes(r.Lines))
}

func uvLine(u UV) string {
	return fmt.Sprintf("version = %s, size = %d, sha256 = %s, file = %s, url = %s",
		quote(u.Version), u.Size, quote(u.SHA256), quote(u.File), quote(u.URL))
}

func omissionLine(o Omission) string {
	return fmt.Sprintf("set = %s, requirement = %s, reason = %s", quote(o.Set.String()), quote(o.Requirement), quote(o.Reason))
}

func distributionLine(d Distribution) string {
	return fmt.Sprintf("name = %s, version = %s, size = %d, sha256 = %s, file = %s, url = %s, index = %s, unpacked = %d, top = %s, for = %s",
		quote(d.Name), quote(d.Version), d.Size, quote(d.SHA256), quote(d.File), quote(d.URL), quote(d.Index), d.Unpacked, quotes(d.Top), quotes(each(d.For, Set.String)))
}

func repositoryLine(r Repository) string {
	return fmt.Sprintf("name = %s, url = %s, suite = %s, components = %s, key = %s",
		quote(r.Name), quote(r.URL), quote(r.Suite), quotes(r.Components), quote(r.Key.String()))
}

func requestLine(r Request) string {
	return fmt.Sprintf("set = %s, packages = %s", quote(r.Set.String()), quotes(r.Packages))
}

func releaseLine(r Release) string {
	return fmt.Sprintf("repository = %s, suite = %s, date = %s, sha256 = %s, signers = %s",
		quote(r.Repository), quote(r.Suite), r.Date.UTC().Format(time.RFC3339), quote(r.SHA256), quotes(r.Signers))
}

func packageLine(p Package) string {
	return fmt.Sprintf("name = %s, version = %s, arch = %s, repository = %s, "+
		"size = %d, sha256 = %s, path = %s, for = %s",
		quote(p.Name), quote(p.Version), quote(p.Architecture), quote(p.Repository),
		p.Size, quote(p.SHA256), quote(p.Path), quotes(each(p.For, Set.String)))
}

// block writes a list of inline tables, one line each, and nothing for an
// empty list.
func block[T any](b *strings.Builder, key string, entries []T, line func(T) string) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(b, "%s = [\n", key)
	for _, e := range entries {
		fmt.Fprintf(b, "  { %s },\n", line(e))
	}
	b.WriteString("]\n")
}

func quotes(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a TOML basic string. TOML knows \uXXXX and \UXXXXXXXX but none
// of Go's other numeric escapes, so only these are used.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
