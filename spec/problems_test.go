package spec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/spec"
)

// Each input follows a first line with a good name, so that it starts in line 2; the
// messages are complete.
func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		text string
		want []string
	}{
		{
			name: "broken value",
			text: `version = yes
`,
			want: []string{
				`image.toml:2:11: unexpected character U+0079 'y' at start of value`,
			},
		},
		{
			name: "broken header and what is below it",
			text: `[debian
packages = ["x"]
[bulider]
packages = ["gcc"]
`,
			want: []string{
				`image.toml:2:8: expected ']' to close table name`,
				`image.toml:4:2: unknown key "bulider", did you mean "builder"?`,
			},
		},
		{
			name: "list that is not closed",
			text: `[debian]
packages = ["aa",
  "bb"
[builder]
packages = ["CC"]
`,
			want: []string{
				`image.toml:5:1: expected ',' or ']' after array value`,
				`image.toml:6:13: packages: "CC" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
			},
		},
		{
			name: "two broken statements",
			text: `version = 1.0.0
title = "open
licenses = 3
`,
			want: []string{
				`image.toml:2:14: expected newline but got U+002E '.'`,
				`image.toml:3:14: basic strings cannot have new lines`,
				`image.toml:4:12: licenses is an integer, want a string`,
			},
		},
		{
			name: "string that never ends",
			text: `title = """abc
[debian]
`,
			want: []string{
				`image.toml:3:9: multiline basic string not terminated by """`,
			},
		},
		{
			name: "control character",
			text: "title = \"a\ab\"\n",
			want: []string{
				`image.toml:2:11: basic strings cannot have control characters`,
			},
		},
		{
			name: "carriage return",
			text: "title = \"a\"\rversion = \"1\"\n",
			want: []string{
				`image.toml:2:12: expected newline but got U+000D`,
			},
		},
		{
			name: "column counts characters",
			text: `title = "héllo wörld" x
`,
			want: []string{
				`image.toml:2:23: expected newline but got U+0078 'x'`,
			},
		},
		{
			name: "no text",
			text: "\xff\xfe",
			want: []string{
				`image.toml:2:1: invalid character at start of key: U+00FF 'ÿ'`,
			},
		},
		{
			name: "key twice",
			text: `title = "a"
title = "b"
`,
			want: []string{
				`image.toml:3:1: title is written twice, first in line 2`,
			},
		},
		{
			name: "table twice",
			text: `[builder]
[debian]
[builder]
packages = ["A"]
`,
			want: []string{
				`image.toml:4:1: [builder] is written twice, first in line 2`,
				`image.toml:5:13: packages: "A" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
			},
		},
		{
			name: "table that is a value",
			text: `builder = 3
[builder]
packages = ["gcc"]
`,
			want: []string{
				`image.toml:2:11: builder is an integer, want a table`,
				`image.toml:3:1: [builder] is written twice, first in line 2`,
			},
		},
		{
			name: "list that is a table",
			text: `[model]
from = "dir:a"
[[model]]
from = "dir:b"
`,
			want: []string{
				`image.toml:2:1: model is a table, want a list of tables: [[model]]`,
				`image.toml:4:1: [[model]] can't extend what line 2 sets`,
			},
		},
		{
			name: "table in an inline table",
			text: `app = { path = "/app" }
[app.env]
A = "b"
`,
			want: []string{
				`image.toml:3:2: app is already set in line 2`,
			},
		},
		{
			name: "dotted key into a table",
			text: `[app.env]
A = "b"
[app]
env.B = "c"
`,
			want: []string{
				`image.toml:5:1: env is already set in line 2`,
			},
		},
		{
			name: "key twice inline",
			text: `[app]
env = { A = "b", A = "c" }
`,
			want: []string{
				`image.toml:3:18: A is written twice, first in line 3`,
			},
		},
		{
			name: "unknown key",
			text: `naem = "y"
`,
			want: []string{
				`image.toml:2:1: unknown key "naem", did you mean "name"?`,
			},
		},
		{
			name: "unknown key, no suggestion",
			text: `colour = "red"
`,
			want: []string{
				`image.toml:2:1: unknown key "colour"`,
			},
		},
		{
			name: "unknown keys everywhere",
			text: `[debian]
pakages = []
[[debian.repository]]
url = "https://deb.example"
suite = "a"
key = "k"
keys = "k"
[app]
image = "x"
[smoke.gpu]
imports = []
[variants.a]
`,
			want: []string{
				`image.toml:3:1: unknown key "pakages" in [debian], did you mean "packages"?`,
				`image.toml:8:1: unknown key "keys" in [[debian.repository]], did you mean "key"?`,
				`image.toml:10:1: unknown key "image" in [app]`,
				`image.toml:12:1: unknown key "imports" in [smoke.gpu]`,
				`image.toml:13:2: unknown key "variants", did you mean "variant"?`,
			},
		},
		{
			name: "unknown table",
			text: `[[models]]
from = "dir:x"
`,
			want: []string{
				`image.toml:2:3: unknown key "models", did you mean "model"?`,
			},
		},
		{
			name: "unknown key in an inline table",
			text: `smoke = { gpu = { rnu = [] } }
`,
			want: []string{
				`image.toml:2:19: unknown key "rnu" in [smoke.gpu], did you mean "run"?`,
			},
		},
		{
			name: "unknown dotted key",
			text: `app.prots = [1]
`,
			want: []string{
				`image.toml:2:5: unknown key "prots" in [app], did you mean "ports"?`,
			},
		},
		{
			name: "wrong types",
			text: `title = 1
version = 1.5
licenses = true
platform = 2026-01-01
debian = "x"
builder = ["x"]
git = { url = "x" }
model = ["dir:x"]
`,
			want: []string{
				`image.toml:2:9: title is an integer, want a string`,
				`image.toml:3:11: version is a number, want a string`,
				`image.toml:4:12: licenses is a boolean, want a string`,
				`image.toml:5:12: platform is a date, want a string`,
				`image.toml:6:10: debian is a string, want a table`,
				`image.toml:7:11: builder is a list, want a table`,
				`image.toml:8:7: git is a table, want a list of tables: [[git]]`,
				`image.toml:9:10: model[0] is a string, want a table`,
			},
		},
		{
			name: "wrong types of lists",
			text: `[debian]
packages = "python3"
components = ["main", 3]
[app]
ports = ["80", 1.5]
entrypoint = "python3 x"
env = ["A=b"]
command = [["a"]]
[smoke]
run = ["python3"]
needs-weights = "no"
`,
			want: []string{
				`image.toml:3:12: packages is a string, want a list`,
				`image.toml:4:23: an entry of components is an integer, want a string`,
				`image.toml:6:10: an entry of ports is a string, want an integer`,
				`image.toml:6:16: an entry of ports is a number, want an integer`,
				`image.toml:7:14: entrypoint is a string, want a list`,
				`image.toml:8:7: env is a list, want a table`,
				`image.toml:9:12: an entry of command is a list, want a string`,
				`image.toml:11:8: run[0] is a string, want a list`,
				`image.toml:12:17: needs-weights is a string, want a boolean`,
			},
		},
		{
			name: "text",
			text: `title = " "
version = ""
licenses = "a\nb"
`,
			want: []string{
				`image.toml:2:9: title: " " is empty`,
				`image.toml:3:11: version: "" is empty`,
				`image.toml:4:12: licenses: "a\nb" is not one line of plain text`,
			},
		},
		{
			name: "platform",
			text: `platform = "linux/amd46"
`,
			want: []string{
				`image.toml:2:12: platform: "linux/amd46" is not one of linux/amd64, linux/arm64, did you mean "linux/amd64"?`,
			},
		},
		{
			name: "platforms",
			text: `platform = ["linux/amd64", "linux/amd64", "linux/arm", 7]
`,
			want: []string{
				`image.toml:2:28: platform: "linux/amd64" is listed twice`,
				`image.toml:2:43: platform: "linux/arm" is not one of linux/amd64, linux/arm64, did you mean "linux/arm64"?`,
				`image.toml:2:56: an entry of platform is an integer, want a string`,
			},
		},
		{
			name: "no platform",
			text: `platform = []
`,
			want: []string{`image.toml:2:12: platform is empty`},
		},
		{
			name: "platform of another system",
			text: `platform = "windows/amd64"
`,
			want: []string{
				`image.toml:2:12: platform: "windows/amd64" is not one of linux/amd64, linux/arm64`,
			},
		},
		{
			name: "debian",
			text: `[debian]
suites = []
components = ["main", "main", "Main"]
mirror = "mirror.example/debian"
packages = ["Python3", "x", "python3=3.11", "libc6:i386", "", "ok-1", "ok-1", "a1/B", "A/b"]
exclude = ["", "usr/doc", "/usr/../x", "/a/**b", "/a/[", "!x", "/"]
keep = ["etc/munge", "!/etc/ssh", "/ok/*.key"]
debconf = ["postfix", "postfix postfix/a choice b", "xx a/b boolean yes", "A a/b string", "xx a/b string \u0007", "ok ok/a string", "ok  ok/b boolean  true"]
`,
			want: []string{
				`image.toml:3:10: suites is empty and no [[debian.repository]] replaces them`,
				`image.toml:4:23: components: "main" is listed twice`,
				`image.toml:4:31: components: "Main" is not a Debian component`,
				`image.toml:5:10: mirror: "mirror.example/debian" is not a URL that starts with https:// or http:// or file://`,
				`image.toml:6:13: packages: "Python3" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:6:24: packages: "x" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:6:29: packages: "python3=3.11" has a version, but image.lock determines versions; write "python3"`,
				`image.toml:6:45: packages: "libc6:i386" has architecture i386, but packages are always for the image's platform; write "libc6"`,
				`image.toml:6:59: packages: "" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:6:71: packages: "ok-1" is listed twice`,
				`image.toml:6:79: packages: "B" is not a Debian suite (others are a [[debian.repository]])`,
				`image.toml:6:87: packages: "A" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:7:12: exclude: "" is not a path`,
				`image.toml:7:16: exclude: "usr/doc" is not a pattern for clean paths from the root of the image`,
				`image.toml:7:27: exclude: "/usr/../x" is not a pattern for clean paths from the root of the image`,
				`image.toml:7:40: exclude: "/a/**b" has ** next to other characters; only ** by itself spans directories`,
				`image.toml:7:50: exclude: "/a/[" holds a [, want only *, ** and ?`,
				`image.toml:7:58: exclude: "!x" is not a pattern for clean paths from the root of the image`,
				`image.toml:7:64: exclude: "/" is not a pattern for clean paths from the root of the image`,
				`image.toml:8:9: keep: "etc/munge" is not a pattern for clean paths from the root of the image`,
				`image.toml:8:22: keep: "!/etc/ssh" begins with !, but there is nothing to take back; name what stays`,
				`image.toml:9:12: debconf: "postfix" is not "PACKAGE QUESTION TYPE VALUE" ("postfix postfix/main_mailer_type select Local only")`,
				`image.toml:9:23: debconf: "postfix postfix/a choice b": type "choice" is not one of boolean, multiselect, password, select, string`,
				`image.toml:9:53: debconf: "xx a/b boolean yes": a boolean is true or false`,
				`image.toml:9:75: debconf: "A" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:9:91: debconf: "xx a/b string \a" is not "PACKAGE QUESTION TYPE VALUE" ("postfix postfix/main_mailer_type select Local only")`,
			},
		},
		{
			name: "suite",
			text: `[debian]
suites = ["../x", "Bookworm"]
`,
			want: []string{
				`image.toml:3:11: suites: "../x" is not a Debian suite (others are a [[debian.repository]])`,
				`image.toml:3:19: suites: "Bookworm" is not a Debian suite (others are a [[debian.repository]])`,
			},
		},
		{
			name: "addresses",
			text: `[debian]
mirror = "https://user:secret@deb.example/x"
[[git]]
url = "git@example.org:x"
commit = "abc"
path = "a"
[[python.index]]
name = "a b"
url = "https://x.example/?q"
packages = []
`,
			want: []string{
				`image.toml:3:10: mirror: "https://user:xxxxx@deb.example/x" holds a user name, which doesn't belong in a spec`,
				`image.toml:5:7: url: "git@example.org:x" is not a URL that starts with https:// or http://`,
				`image.toml:6:10: commit: "abc" is not a commit (40 hexadecimal digits in lower case)`,
				`image.toml:7:8: path: "a" is relative, want a path from the root of the image`,
				`image.toml:9:8: name: "a b" is not an index's name (letters and digits, joined by single - . _)`,
				`image.toml:10:7: url: "https://x.example/?q" has a query or fragment, want a plain address`,
				`image.toml:11:12: packages is empty`,
			},
		},
		{
			name: "repository without anything",
			text: `[[debian.repository]]
`,
			want: []string{
				`image.toml:2:1: [[debian.repository]] has no key`,
				`image.toml:2:1: [[debian.repository]] has no suite`,
				`image.toml:2:1: [[debian.repository]] has no url`,
			},
		},
		{
			name: "repositories",
			text: `[[debian.repository]]
name = "debian"
url = "https:///x"
suite = "../"
key = "/etc/key.asc"
[[debian.repository]]
url = "https://Deb.example/a/"
suite = "/"
components = ["main"]
key = "../key.asc"
[[debian.repository]]
name = "deb-example-a"
url = "https://x.example"
suite = "a b"
components = []
key = "k"
`,
			want: []string{
				`image.toml:3:8: name: "debian" is Debian's own repository`,
				`image.toml:4:7: url: "https:///x" names no host`,
				`image.toml:5:9: suite: "../" is not a clean flat path`,
				`image.toml:6:7: key: "/etc/key.asc" is absolute, want a path from the directory of image.toml`,
				`image.toml:10:14: components: a flat repository ("./") has none`,
				`image.toml:11:7: key: "../key.asc" leads out of the directory of image.toml`,
				`image.toml:13:8: name: the repository in line 7 is already called "deb-example-a"`,
				`image.toml:15:9: suite: "a b" is not a suite ("stable") nor a flat path, which ends in / ("./")`,
				`image.toml:16:14: components is empty`,
			},
		},
		{
			name: "builder",
			text: `[builder]
packages = ["g++", "GCC"]
`,
			want: []string{
				`image.toml:3:20: packages: "GCC" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
			},
		},
		{
			name: "local paths",
			text: `[app]
source = "/app"
[python]
sources = ["../native", "a/../../b", "", "a\\b", "a\u0000b", "..", "a", "./a"]
`,
			want: []string{
				`image.toml:3:10: source: "/app" is absolute, want a path from the directory of image.toml`,
				`image.toml:5:12: sources: "../native" leads out of the directory of image.toml`,
				`image.toml:5:25: sources: "a/../../b" leads out of the directory of image.toml`,
				`image.toml:5:38: sources: "" is not a path`,
				`image.toml:5:42: sources: "a\\b" holds a backslash, paths are written with /`,
				`image.toml:5:50: sources: "a\x00b" holds a control character`,
				`image.toml:5:62: sources: ".." leads out of the directory of image.toml`,
				`image.toml:5:73: sources: "./a" is listed twice`,
			},
		},
		{
			name: "python",
			text: `[python]
requirements = ["r.txt"]
lock = "pylock.toml"
optional = ["-x"]
prune = ["/a", "a/../b"]
[python.build-requires]
"bad name" = ["a"]
good = ["==1", "numpy==1.26"]
[[python.index]]
[[python.index]]
name = "a"
url = "https://a.example"
packages = ["x"]
[[python.index]]
name = "a"
url = "ftp://a.example"
packages = ["x y"]
`,
			want: []string{
				`image.toml:4:8: lock: requirements also says what to install, want one of them`,
				`image.toml:5:13: optional: "-x" is not a Python project's name`,
				`image.toml:6:10: prune: "/a" is not a pattern for paths below the directory`,
				`image.toml:6:16: prune: "a/../b" is not a pattern for paths below the directory`,
				`image.toml:8:1: build-requires: "bad name" is not a Python project's name`,
				`image.toml:9:9: good: "==1" is not a Python requirement ("name", "name==version")`,
				`image.toml:10:1: [[python.index]] has no name`,
				`image.toml:10:1: [[python.index]] has no packages: an index serves only the packages listed`,
				`image.toml:10:1: [[python.index]] has no url`,
				`image.toml:16:8: name: the index in line 11 is already called "a"`,
				`image.toml:17:7: url: "ftp://a.example" is not a URL that starts with https:// or http://`,
				`image.toml:18:13: packages: "x y" is not a Python project's name`,
			},
		},
		{
			name: "python of three origins",
			text: `[python]
requirements = ["r.txt"]
project = "."
lock = "uv.lock"
`,
			want: []string{
				`image.toml:4:11: project: requirements also says what to install, want one of them`,
				`image.toml:5:8: lock: requirements also says what to install, want one of them`,
			},
		},
		{
			name: "python keys that apply to nothing",
			text: `[python]
project = "../x"
extras = ["gpu"]
groups = ["dev"]
constraints = ["c.txt"]
overrides = ["numpy<2"]
excludes = ["opencv-python"]
index-strategy = "unsafe-best"
`,
			want: []string{
				`image.toml:3:11: project: "../x" leads out of the directory of image.toml`,
				`image.toml:4:10: extras: these belong to a project or a lock, and there is neither`,
				`image.toml:5:10: groups: these belong to a project or a lock, and there is neither`,
				`image.toml:6:15: constraints: there are no requirements that they apply to`,
				`image.toml:7:13: overrides: there are no requirements that they apply to`,
				`image.toml:8:12: excludes: there are no requirements that they apply to`,
				`image.toml:9:18: index-strategy: "unsafe-best" is not one of first-index, unsafe-first-match, unsafe-best-match`,
			},
		},
		{
			name: "python keys that apply to a lock",
			text: `[python]
project = "x"
constraints = ["c.txt"]
overrides = ["numpy<2"]
excludes = ["opencv-python"]
`,
			want: []string{`image.toml:4:15: constraints: there are no requirements that they apply to`},
		},
		{
			name: "python words",
			text: `[python]
requirements = ["r.txt"]
overrides = ["-r other.txt", "x @ https://x.example/a.whl"]
excludes = ["a b"]
`,
			want: []string{
				`image.toml:4:14: overrides: "-r other.txt" is not a Python requirement ("name", "name==version")`,
				`image.toml:5:13: excludes: "a b" is not a Python project's name`,
			},
		},
		{
			name: "locks that are none",
			text: `[python]
lock = "requirements.lock"
[variant.a.python]
lock = "locks/pylock"
`,
			want: []string{
				`image.toml:3:8: lock: "requirements.lock" is neither a pylock.toml (pylock.NAME.toml) nor a uv.lock`,
				`image.toml:5:8: lock: "locks/pylock" is neither a pylock.toml (pylock.NAME.toml) nor a uv.lock`,
			},
		},
		{
			name: "source trees of one name",
			text: `[python]
sources = ["a/x", "b/x", "a-x", "this_directory", "."]
`,
			want: []string{
				`image.toml:3:11: sources: "a/x" and "a-x" would both be called "a-x"`,
				`image.toml:3:11: sources: "this_directory" and "." would both be called "this-directory"`,
			},
		},
		{
			name: "git",
			text: `[[git]]
url = "https://git.example/x"
commit = "42BF4CFAA384BC21833865ABC2F9E6C0E67233DC"
path = "/x/"
subdir = "../y"
[[git]]
`,
			want: []string{
				`image.toml:4:10: commit: "42BF4CFAA384BC21833865ABC2F9E6C0E67233DC" is not a commit (40 hexadecimal digits in lower case)`,
				`image.toml:5:8: path: "/x/" is not clean, write "/x"`,
				`image.toml:6:10: subdir: "../y" is not a clean relative path`,
				`image.toml:7:1: [[git]] has no commit`,
				`image.toml:7:1: [[git]] has no path`,
				`image.toml:7:1: [[git]] has no url`,
			},
		},
		{
			name: "model without anything",
			text: `[[model]]
`,
			want: []string{
				`image.toml:2:1: [[model]] has no from`,
				`image.toml:2:1: [[model]] has no path`,
			},
		},
		{
			name: "models",
			text: `[[model]]
name = "A"
from = "weights"
path = "models"
[[model]]
from = "hf://org/name"
path = "/models/../x"
include = ["[a"]
[[model]]
name = "b"
from = "dir:/weights"
path = "/lib/x"
[[model]]
name = "b"
from = "http://x.example/y"
path = "/dev/shm"
`,
			want: []string{
				`image.toml:3:8: name: "A" is not a model's name (lower-case letters and digits, joined by single -)`,
				`image.toml:4:8: from: "weights" is not a source of models, want "dir:DIR", "hf://ORG/NAME@REVISION" or "https://…"`,
				`image.toml:5:8: path: "models" is relative, want a path from the root of the image`,
				`image.toml:6:1: [[model]] has no name, which all models but the first require`,
				`image.toml:7:8: from: "hf://org/name" is not "hf://ORG/NAME@REVISION"`,
				`image.toml:8:8: path: "/models/../x" is not clean, write "/x"`,
				`image.toml:9:12: include: "[a" is not a pattern: a [ is not closed`,
				`image.toml:12:8: from: "/weights" is absolute, want a path from the directory of image.toml`,
				`image.toml:13:8: path: "/lib/x" is below a symbolic link in Debian, write "/usr/lib/x"`,
				`image.toml:15:8: name: the model in line 11 is already called "b"`,
				`image.toml:16:8: from: "http://x.example/y" is not a source of models, want "dir:DIR", "hf://ORG/NAME@REVISION" or "https://…"`,
				`image.toml:17:8: path: "/dev/shm" is below /dev, which is mounted when the image runs`,
			},
		},
		{
			name: "places of models",
			text: `[[model]]
from = "hf://org/a@main"
path = "/a"
published = "registry.example/a:1"
[[model]]
name = "b"
from = "hf://org/b@main"
path = "/b"
published = "localhost:5000/b@sha256:0000"
[[model]]
name = "c"
from = "hf://org/c@main"
path = "/c"
published = "acme/weights"
[[model]]
name = "d"
from = "hf://org/d@main"
path = "/d"
published = "registry.example:5000"
[[model]]
name = "e"
from = "dir:e"
path = "/e"
published = "registry.example/e"
[[model]]
name = "f"
from = "hf://org/f@main"
path = "/f"
published = "https://registry.example/f"
[[model]]
name = "g"
from = "hf://org/g@main"
path = "/g"
published = "[::1]:5000/g/g-h__i.j"
`,
			want: []string{
				`image.toml:5:13: published: "registry.example/a:1" has a tag or a digest; name only the repository, image.lock holds the digest`,
				`image.toml:10:13: published: "localhost:5000/b@sha256:0000" has a tag or a digest; name only the repository, image.lock holds the digest`,
				`image.toml:15:13: published: "acme/weights" is not a repository with a registry ("ghcr.io/acme/weights")`,
				`image.toml:20:13: published: "registry.example:5000" is not a repository with a registry ("ghcr.io/acme/weights")`,
				`image.toml:25:13: published: a model from a directory is packed by each build and never published`,
				`image.toml:30:13: published: "https://registry.example/f" is not a repository with a registry ("ghcr.io/acme/weights")`,
			},
		},
		{
			name: "models at one path",
			text: `[[model]]
from = "dir:a"
path = "/m"
[[model]]
name = "b"
from = "dir:b"
path = "/m"
[[git]]
url = "https://git.example/x"
commit = "42bf4cfaa384bc21833865abc2f9e6c0e67233dc"
path = "/m"
`,
			want: []string{
				`image.toml:8:8: path: "/m" is already filled by line 4`,
				`image.toml:12:8: path: "/m" is already filled by line 4`,
			},
		},
		{
			name: "renames",
			text: `[[model]]
from = "dir:a"
path = "/m"
rename = { "a" = "b", "c" = "b", "/d" = "e", "f" = "../g", h = 3 }
`,
			want: []string{
				`image.toml:5:29: rename: "a" and "c" would both be called "b"`,
				`image.toml:5:34: rename: "/d" is not a clean relative path`,
				`image.toml:5:52: f: "../g" is not a clean relative path`,
				`image.toml:5:64: h is an integer, want a string`,
			},
		},
		{
			name: "app",
			text: `[app]
path = "/"
workdir = "here"
entrypoint = ["", "x"]
command = ["a\u0000"]
stop-signal = "TERM"
ports = [0, 80, 65536, 0x50]
env = { "1A" = "x", B = "a\u0000b", "C D" = "x" }
`,
			want: []string{
				`image.toml:3:8: path: "/" is the root of the image, want a directory below it`,
				`image.toml:4:11: workdir: "here" is relative, want a path from the root of the image`,
				`image.toml:5:15: entrypoint: the program's name is empty`,
				`image.toml:6:12: command: a NUL can't be part of an argument`,
				`image.toml:7:15: stop-signal: "TERM" is not the name of a signal, did you mean "SIGTERM"?`,
				`image.toml:8:10: an entry of ports is 0, want 1 to 65535`,
				`image.toml:8:17: an entry of ports is 65536, want 1 to 65535`,
				`image.toml:8:24: ports: 80 is listed twice`,
				`image.toml:9:9: env: "1A" is not a variable's name (letters, digits and _, no digit first)`,
				`image.toml:9:25: B: "a\x00b" holds a NUL`,
				`image.toml:9:37: env: "C D" is not a variable's name (letters, digits and _, no digit first)`,
			},
		},
		{
			name: "labels, checks and volumes",
			text: `[app]
labels = { "" = "x", "a b" = "x", "a=b" = "x", n = 1, z = "\u0000", org.opencontainers = "x" }
volumes = ["/", "v", "/v/", "/proc/x", "/dev", "/w", "/w"]
healthcheck = { interval = "30", timeout = "0s", start-period = "-1s", start-interval = "9us", retries = 0, every = "1s" }
[variant.a.app]
healthcheck = ["NONE", "x"]
[variant.b.app]
healthcheck = []
[variant.c.app.healthcheck]
test = ["CMD"]
[variant.d.app]
healthcheck.test = ["CMD-SHELL", "a", "b"]
labels = 1
[variant.e.app]
healthcheck = "curl -f localhost"
[variant.f.app]
healthcheck = ["", 1]
`,
			want: []string{
				`image.toml:3:12: labels: "" is not a label's name (without spaces and =)`,
				`image.toml:3:22: labels: "a b" is not a label's name (without spaces and =)`,
				`image.toml:3:35: labels: "a=b" is not a label's name (without spaces and =)`,
				`image.toml:3:52: n is an integer, want a string`,
				`image.toml:3:59: z: "\x00" holds a NUL`,
				`image.toml:3:69: labels: org is a table; write a name with dots in quotes`,
				`image.toml:4:12: volumes: "/" can't be a volume: it is /, or mounted when the image runs`,
				`image.toml:4:17: volumes: "v" is relative, want a path from the root of the image`,
				`image.toml:4:22: volumes: "/v/" is not clean, write "/v"`,
				`image.toml:4:29: volumes: "/proc/x" can't be a volume: it is /, or mounted when the image runs`,
				`image.toml:4:40: volumes: "/dev" can't be a volume: it is /, or mounted when the image runs`,
				`image.toml:4:54: volumes: "/w" is listed twice`,
				`image.toml:5:15: [app.healthcheck] has no test`,
				`image.toml:5:28: interval: "30" is not a duration of 1ms or more ("30s", "1m30s")`,
				`image.toml:5:44: timeout: "0s" is not a duration of 1ms or more ("30s", "1m30s")`,
				`image.toml:5:65: start-period: "-1s" is not a duration of 1ms or more ("30s", "1m30s")`,
				`image.toml:5:89: start-interval: "9us" is not a duration of 1ms or more ("30s", "1m30s")`,
				`image.toml:5:106: retries is 0, want 1 to 2147483647`,
				`image.toml:5:109: unknown key "every" in [app.healthcheck]`,
				`image.toml:7:15: healthcheck has arguments after NONE`,
				`image.toml:9:15: healthcheck is empty, want a command`,
				`image.toml:11:8: test has no command after CMD`,
				`image.toml:13:20: test requires one line for /bin/sh after CMD-SHELL`,
				`image.toml:14:10: labels is an integer, want a table`,
				`image.toml:16:15: healthcheck is a string, want a list (its command) or a table`,
				`image.toml:18:16: healthcheck: the program's name is empty`,
				`image.toml:18:20: an entry of healthcheck is an integer, want a string`,
			},
		},
		{
			name: "environment of a model",
			text: `[[model]]
from = "dir:a"
path = "/m"
[[model]]
name = "face-b"
from = "dir:b"
path = "/n"
[app.env]
MODEL_PATH = "/m"
MODEL_LIST_FACE_B = "/n"
MODEL_PATH_OTHER = "/o"
`,
			want: []string{
				`image.toml:10:1: env: MODEL_PATH is already set by its [[model]]`,
				`image.toml:11:1: env: MODEL_LIST_FACE_B is already set by its [[model]]`,
			},
		},
		{
			name: "user without a name",
			text: `[app]
user = ":1000"
`,
			want: []string{
				`image.toml:3:8: user: ":1000" is not "name" or "name:uid" with a name of lower-case letters, digits, - and _`,
			},
		},
		{
			name: "user that is root",
			text: `[app]
user = "root:0"
`,
			want: []string{
				`image.toml:3:8: user: "root" is a Debian account with its own uid; write user = "root"`,
			},
		},
		{
			name: "user out of range",
			text: `[app]
user = "app:65534"
`,
			want: []string{
				`image.toml:3:8: user: the uid "65534" is not from 1 to 65533`,
			},
		},
		{
			name: "user with a word for a uid",
			text: `[app]
user = "app:app"
first-start = "yes"
`,
			want: []string{
				`image.toml:3:8: user: the uid "app" is not from 1 to 65533`,
				`image.toml:4:15: first-start is a string, want a boolean`,
			},
		},
		{
			name: "user with a huge uid",
			text: `[app]
user = "app:99999999999999999999"
`,
			want: []string{
				`image.toml:3:8: user: the uid "99999999999999999999" is not from 1 to 65533`,
			},
		},
		{
			name: "smoke",
			text: `[smoke]
imports = ["numpy-x"]
run = [[], ["a"], [3], [""]]
elf-ignore = ["lib/x.so", "", "/opt/[ab]", "/opt/x/**"]
needs-weights = 1
[smoke.gpu]
run = [[]]
`,
			want: []string{
				`image.toml:3:12: imports: "numpy-x" is not a Python module`,
				`image.toml:4:8: run[0] is empty, want a command`,
				`image.toml:4:20: an entry of run[2] is an integer, want a string`,
				`image.toml:4:25: run[3]: the program's name is empty`,
				`image.toml:5:15: elf-ignore: "lib/x.so" is not a library's name ("libcuda.so.1") or an absolute path`,
				`image.toml:5:27: elf-ignore: "" is not a library's name ("libcuda.so.1") or an absolute path`,
				`image.toml:5:31: elf-ignore: "/opt/[ab]" holds a [, want only *, ** and ?`,
				`image.toml:6:17: needs-weights is an integer, want a boolean`,
				`image.toml:8:8: run[0] is empty, want a command`,
			},
		},
		{
			name: "variants",
			text: `[variant.Big]
[variant]
x = 3
`,
			want: []string{
				`image.toml:2:10: variant: "Big" is not a variant's name (a letter, then lower-case letters and digits, joined by single -)`,
				`image.toml:4:5: x is an integer, want a table`,
			},
		},
		{
			name: "variant of a wrong type",
			text: `variant = ["minimal"]
`,
			want: []string{
				`image.toml:2:11: variant is a list, want a table`,
			},
		},
		{
			name: "settings of a variant",
			text: `[variant.minimal]
weights = "None"
extra-packages = ["A"]
name = "y"
platform = "linux/arm64"
weihgts = "none"
`,
			want: []string{
				`image.toml:3:11: weights: "None" is not one of layers, none, did you mean "none"?`,
				`image.toml:4:19: extra-packages: "A" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:5:1: name can't differ between variants`,
				`image.toml:6:1: platform can't differ between variants`,
				`image.toml:7:1: unknown key "weihgts" in [variant.minimal], did you mean "weights"?`,
			},
		},
		{
			name: "weights outside a variant",
			text: `weights = "none"
`,
			want: []string{
				`image.toml:2:1: unknown key "weights"`,
			},
		},
		{
			name: "overlay",
			text: `[debian]
packages = ["Bad"]
[variant.a.debian]
pakages = ["x"]
packages = ["Worse"]
suites = ["trixie"]
mirror = "https://m.example"
[variant.b.app]
ports = [0]
[[variant.b.model]]
from = "dir:x"
`,
			want: []string{
				`image.toml:3:13: packages: "Bad" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:5:1: unknown key "pakages" in [variant.a.debian], did you mean "packages"?`,
				`image.toml:6:13: packages: "Worse" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
				`image.toml:7:1: suites can't differ between variants: one lock answers all of them`,
				`image.toml:8:1: mirror can't differ between variants: one lock answers all of them`,
				`image.toml:10:10: an entry of ports is 0, want 1 to 65535`,
				`image.toml:11:1: [[variant.b.model]] has no path`,
			},
		},
		{
			name: "problem that every variant overlays",
			text: `[builder]
packages = ["Bad"]
[variant.production.builder]
packages = ["gcc"]
[variant.minimal.builder]
packages = ["gcc"]
[variant.debug.builder]
packages = ["gcc"]
`,
			want: []string{
				`image.toml:3:13: packages: "Bad" is not a Debian package name (two or more of lower-case letters, digits, + - .)`,
			},
		},
		{
			name: "overlay of another type",
			text: `[variant.a]
model = { from = "dir:x" }
app = 3
`,
			want: []string{
				`image.toml:3:9: model is a table, want a list of tables: [[variant.a.model]]`,
				`image.toml:4:7: app is an integer, want a table`,
			},
		},
		{
			name: "overlay that clashes with the file",
			text: `[[model]]
from = "dir:a"
path = "/m"
[variant.a.app.env]
MODEL_PATH = "/x"
`,
			want: []string{
				`image.toml:6:1: env: MODEL_PATH is already set by its [[model]]`,
			},
		},
		{
			name: "repositories of one name",
			text: `[[debian.repository]]
name = "a"
url = "https://a.example"
suite = "s"
key = "k"
[[variant.v.debian.repository]]
name = "a"
url = "https://b.example"
suite = "s"
key = "k"
`,
			want: []string{
				`image.toml:7:20: repository: "a" of variant v differs from that of variant production`,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantProblems(t, "name = \"x\"\n"+tt.text, tt.want)
		})
	}
}

// Neither the stack nor the names of tables grow with the nesting.
func TestProblemsOfDepth(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"lists", "[app]\nports = " + strings.Repeat("[", 33) + strings.Repeat("]", 33), `image.toml:2:41: more than 32 nested lists and tables`},
		{"inline tables", "a = " + strings.Repeat("{a=", 5000) + "1" + strings.Repeat("}", 5000), `image.toml:1:101: more than 32 nested lists and tables`},
		{"keys", strings.Repeat("a.", 5000) + "a = 1", `image.toml:1:1: more than 32 nested tables`},
		{"header", "[" + strings.Repeat("a.", 5000) + "a]", `image.toml:1:2: more than 32 nested tables`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := spec.Parse("image.toml", []byte(tt.text))
			if err == nil || !slices.Contains(strings.Split(err.Error(), "\n"), tt.want) {
				t.Errorf("got %v, want %s among it", err, tt.want)
			}
		})
	}
}

func TestProblemsOfTheName(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing at all", "", `image.toml:1:1: name is missing, write name = "…" at the top`},
		{"missing", "\n[debian]\n", `image.toml:1:1: name is missing, write name = "…" at the top`},
		{"empty", `name = ""`, `image.toml:1:8: name: "" is not a name (lower-case letters and digits, joined by single - . _)`},
		{"characters", `name = "Face Blend"`, `image.toml:1:8: name: "Face Blend" is not a name (lower-case letters and digits, joined by single - . _)`},
		{"path", `name = "../x"`, `image.toml:1:8: name: "../x" is not a name (lower-case letters and digits, joined by single - . _)`},
		{"type", `name = 3`, `image.toml:1:8: name is an integer, want a string`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantProblems(t, tt.text, []string{tt.want}) })
	}
}

func wantProblems(t *testing.T, text string, want []string) {
	t.Helper()
	f, err := spec.Parse("image.toml", []byte(text))
	if err == nil {
		t.Fatalf("parsed without a problem: %v", f.Variants())
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("problems of:\n%s\n(-want +got):\n%s", text, diff)
	}
	if kind := failure.KindOf(err); kind != failure.Usage {
		t.Errorf("kind %d, want usage", kind)
	}
	var at *spec.Error
	if !errors.As(err, &at) || at.File != "image.toml" || at.Line < 1 || at.Column < 1 {
		t.Errorf("first problem %+v has no place", at)
	}
}
