package license_test

import (
	"strings"
	"testing"

	"lamina.build/internal/resolve/license"
)

// The fields are those of real wheels on PyPI.
func TestOfMetadata(t *testing.T) {
	for text, want := range map[string]string{
		"License-Expression: BSD-3-Clause AND MIT\nLicense: other words":           "BSD-3-Clause AND MIT",
		"License-Expression: mit AND (apache-2.0 OR bsd-3-clause)\n":               "MIT AND (Apache-2.0 OR BSD-3-Clause)",
		"License-Expression: MIT OR GPL-2.0-or-later WITH Classpath-exception-2.0": "MIT OR GPL-2.0-or-later WITH Classpath-exception-2.0",
		"License: MIT":                         "MIT",
		"License: MIT License\n":               "MIT",
		"license: Apache License, Version 2.0": "Apache-2.0",
		"License: BSD":                         "LicenseRef-BSD",
		"License: BSD\nClassifier: License :: OSI Approved :: MIT License":                                                                      "MIT",
		"License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License":                                                                  "LicenseRef-BSD-License",
		"License: Copyright (c) 2005-2024, NumPy Developers.\n        All rights reserved.\nClassifier: License :: OSI Approved :: BSD License": "LicenseRef-BSD-License",
		"License: " + strings.Repeat("The text of a license. ", 90):                                                                             "",
		"Classifier: License :: OSI Approved :: Apache Software License\nClassifier: License :: OSI Approved :: BSD License":                    "LicenseRef-Apache-Software-License-BSD-License",
		"Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: ISC License (ISCL)":                                        "ISC",
		"Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 or later (LGPLv3+)":                                        "LGPL-3.0-or-later",
		"Classifier: License :: Other/Proprietary License":                                                                                      "",
		"License: NVIDIA Proprietary Software":                                                                                                  "LicenseRef-NVIDIA-Proprietary-Software",
		"License-Expression: DocumentRef-x:LicenseRef-y":                                                                                        "LicenseRef-DocumentRef-x-LicenseRef-y",
		"License: LicenseRef-NVIDIA-Proprietary":                                                                                                "LicenseRef-NVIDIA-Proprietary",
		"Name: a\r\nLicense: MIT\r\n\r\nLicense: GPL":                                                                                           "MIT",
		"Name: a\n\nLicense: MIT": "",
		"License: ✓":              "",
		"":                        "",
	} {
		if got := license.OfMetadata(text); got != want {
			t.Errorf("%.80q: got %q, want %q", text, got, want)
		}
	}
}

// The cards of models.
func TestOf(t *testing.T) {
	for names, want := range map[string]string{
		"apache-2.0": "Apache-2.0", "mit": "MIT", "openrail": "LicenseRef-openrail", "other": "", "": "", "llama3.1": "LicenseRef-llama3.1",
		"cc-by-nc-4.0": "CC-BY-NC-4.0", "mit,apache-2.0": "LicenseRef-mit-apache-2.0",
	} {
		if got := license.Of(strings.Split(names, ",")...); got != want {
			t.Errorf("%q: got %q, want %q", names, got, want)
		}
	}
}
