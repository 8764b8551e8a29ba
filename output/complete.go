package output

// complete checks the fields against each other and fills in what follows
// from the type.
func (p *parser) complete() {
	if !p.given["type"] {
		p.fault("type is missing: one of oci, docker, image, local")
	}
	switch p.Type {
	case OCI:
		p.completeOCI()
	case Docker:
		p.completeDocker()
	case Image:
		p.refuse("type=image goes to a registry", "dest", "tar")
	case Local:
		if !p.given["dest"] || p.Dest == Stdout {
			p.fault("type=local needs a folder as dest")
		}
		p.refuse("type=local writes the bare files", "tar", "name", "compression")
	}
	if p.Type != Image && p.Type != "" {
		p.refuse("only type=image has a registry", "push", "registry.insecure")
	}
}

// completeOCI follows buildx: a dest is an archive unless tar=false is said.
// Without a dest it is the layout that all variants share.
func (p *parser) completeOCI() {
	switch {
	case !p.given["dest"] && p.Tar:
		p.fault("tar=true needs a dest")
	case p.given["dest"] && p.given["tar"] && !p.Tar && p.Dest == Stdout:
		p.fault("tar=false needs a folder as dest")
	case p.given["dest"] && !p.given["tar"]:
		p.Tar = true
	}
}

// completeDocker insists on what "docker load" can read anywhere: an archive,
// without zstd, which the Docker of Debian 12 does not know.
func (p *parser) completeDocker() {
	if !p.given["dest"] {
		p.fault("type=docker needs a dest: a file, or - for the standard output")
	}
	if p.given["tar"] && !p.Tar {
		p.fault("type=docker is always an archive: leave tar=false out")
	}
	if p.Compression == Zstd {
		p.fault("type=docker can't have compression=%s: gzip or uncompressed", p.Compression)
	}
	p.Tar = true
}

// refuse reports the keys that make no sense here.
func (p *parser) refuse(why string, keys ...string) {
	for _, key := range keys {
		if p.given[key] {
			p.fault("%s: leave %s out", why, key)
		}
	}
}
