// Package license reads the licenses that metadata declares, as expressions of SPDX 2.3:
// https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/.
//
// Text that is no expression becomes a LicenseRef of that name. Its meaning is for people
// to find out: nothing here guesses which BSD license is meant.
package license

import (
	"regexp"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp"
)

// longest is the maximum length of a license's name: longer text is a license itself.
const longest = 100

// OfMetadata returns the license that the METADATA of a wheel or the PKG-INFO of an sdist
// declares: License-Expression, else License, else the classifiers, as in
// https://packaging.python.org/en/latest/specifications/core-metadata/; "" if there is none.
func OfMetadata(text string) string {
	fields := headers(text)
	classified := classified(fields["classifier"])
	for _, words := range append(fields["license-expression"], fields["license"]...) {
		found, ok := expression(words)
		switch {
		case isNothing(words):
		case ok:
			return found
		case len(words) <= longest && !strings.Contains(words, "\n") && !isSPDX(classified):
			return reference(words)
		}
	}
	return classified
}

// Of returns the expression for the license names of a model's card or a wheel's classifiers.
func Of(names ...string) string {
	var found []string
	for _, name := range names {
		if one, ok := expression(name); ok {
			found = append(found, one)
		} else if !isNothing(name) {
			return reference(strings.Join(names, " "))
		}
	}
	if len(found) > 1 { // whether all or any of them apply is unknown
		return reference(strings.Join(names, " "))
	}
	return strings.Join(found, "")
}

const refPrefix = "LicenseRef-"

func isSPDX(expression string) bool {
	return expression != "" && !strings.HasPrefix(expression, refPrefix)
}

var notInReference = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// reference returns a LicenseRef with the allowed characters of words.
func reference(words string) string {
	name := notInReference.ReplaceAllString(words, "-")
	name = strings.Trim(name[:min(len(name), longest)], "-.")
	if name == "" {
		return ""
	}
	return refPrefix + name
}

// expression spells words as SPDX does, if they are an SPDX expression or a common name of
// an SPDX license.
func expression(words string) (spelled string, ok bool) {
	words = strings.Join(strings.Fields(words), " ")
	if known := common()[simple(words)]; known != "" {
		return known, true
	}
	if words == "" || len(words) > 4*longest {
		return "", false
	}
	spelledAll, wrong := spdxexp.ValidateAndNormalizeLicensesWithOptions([]string{words}, spdxexp.ValidateLicensesOptions{FailAllDocumentRefs: true})
	if len(wrong) > 0 || len(spelledAll) != 1 {
		return "", false
	}
	return spelledAll[0], true
}

func isNothing(words string) bool {
	switch strings.ToLower(strings.TrimSpace(words)) {
	case "", "unknown", "none", "other", "n/a", "other/proprietary license":
		return true
	}
	return false
}

// simple normalizes names for comparison.
func simple(words string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(words), func(r rune) bool { return strings.ContainsRune(" -_,()", r) }), " ")
}

// common are names that identify one version of one license.
func common() map[string]string {
	return map[string]string{
		"apache 2.0": "Apache-2.0", "apache 2": "Apache-2.0", "apache license 2.0": "Apache-2.0", "apache license version 2.0": "Apache-2.0",
		"apache software license 2.0": "Apache-2.0", "apache license v2.0": "Apache-2.0", "apache v2": "Apache-2.0", "apache2": "Apache-2.0",
		"mit license": "MIT", "the mit license": "MIT", "mit licence": "MIT", "expat": "MIT",
		"bsd 3 clause": "BSD-3-Clause", "3 clause bsd": "BSD-3-Clause", "bsd 3 clause license": "BSD-3-Clause", "3 clause bsd license": "BSD-3-Clause",
		"new bsd": "BSD-3-Clause", "new bsd license": "BSD-3-Clause", "modified bsd": "BSD-3-Clause", "modified bsd license": "BSD-3-Clause",
		"bsd 2 clause": "BSD-2-Clause", "2 clause bsd": "BSD-2-Clause", "bsd 2 clause license": "BSD-2-Clause", "simplified bsd": "BSD-2-Clause",
		"isc license": "ISC", "isc license iscl": "ISC", "the unlicense unlicense": "Unlicense",
		"mozilla public license 2.0 mpl 2.0": "MPL-2.0", "mozilla public license 2.0": "MPL-2.0", "mpl 2.0": "MPL-2.0",
		"python software foundation license": "PSF-2.0", "psf": "PSF-2.0", "zpl 2.1": "ZPL-2.1", "boost software license 1.0 bsl 1.0": "BSL-1.0",
		"historical permission notice and disclaimer hpnd": "HPND", "zlib/libpng license": "Zlib",
		"gnu general public license v2 gplv2": "GPL-2.0-only", "gnu general public license v2 or later gplv2+": "GPL-2.0-or-later",
		"gnu general public license v3 gplv3": "GPL-3.0-only", "gnu general public license v3 or later gplv3+": "GPL-3.0-or-later",
		"gnu lesser general public license v2 lgplv2": "LGPL-2.0-only", "gnu lesser general public license v2 or later lgplv2+": "LGPL-2.0-or-later",
		"gnu lesser general public license v3 lgplv3": "LGPL-3.0-only", "gnu lesser general public license v3 or later lgplv3+": "LGPL-3.0-or-later",
		"gnu affero general public license v3": "AGPL-3.0-only", "gnu affero general public license v3 or later agplv3+": "AGPL-3.0-or-later",
		"cc0 1.0 universal cc0 1.0 public domain dedication": "CC0-1.0", "mit no attribution license mit 0": "MIT-0",
		"eclipse public license 2.0 epl 2.0": "EPL-2.0", "european union public licence 1.2 eupl 1.2": "EUPL-1.2",
	}
}

// classified returns the license that classifiers declare.
func classified(classifiers []string) string {
	var names []string
	for _, c := range classifiers {
		name, ok := strings.CutPrefix(c, "License :: ")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "OSI Approved"), " :: ")
		if ok && name != "" {
			names = append(names, name)
		}
	}
	return Of(names...)
}

// headers returns the fields of METADATA by lower-case name, without the description that
// follows them.
func headers(text string) map[string][]string {
	fields := map[string][]string{}
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		key, value, isField := strings.Cut(line, ":")
		switch {
		case line == "":
			return fields
		case line[0] == ' ' || line[0] == '\t': // continues the field
			if n := len(fields[name]); n > 0 {
				fields[name][n-1] += "\n" + strings.TrimSpace(line)
			}
		case isField:
			name = strings.ToLower(key)
			fields[name] = append(fields[name], strings.TrimSpace(value))
		}
	}
	return fields
}
