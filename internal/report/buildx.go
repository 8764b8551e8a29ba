package report

// Instead returns what does the work of a flag of docker buildx that Lamina doesn't have, "" for
// any other word.
func Instead(flag string) string {
	return map[string]string{
		"--add-host":        sealed,
		"--allow":           sealed,
		"--attest":          statements,
		"--build-arg":       inSpec,
		"--build-context":   inSpec,
		"--network":         sealed,
		"--no-cache-filter": "--no-cache runs every step again",
		"--provenance":      statements,
		"--pull":            "a build takes exactly what image.lock names; `build lock --upgrade` updates it",
		"--sbom":            statements,
		"--secret":          noSecret,
		"--ssh":             noSecret,
		"--target":          "--variant chooses what to build",
	}[flag]
}

const (
	statements = "--attach provenance,sbom attaches these documents, and without it there are none"
	inSpec     = "image.toml says what goes into an image; where builds differ, write a [variant.NAME] and choose it with --variant"
	noSecret   = "no step of a build sees a secret; downloads use the logins of this machine: those of docker login, and in ~/.netrc" //nolint:gosec // a sentence
	sealed     = "no step of a build has a network"
)
