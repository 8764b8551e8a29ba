package output

// complete checks the fields against each other and fills in what the type implies.
func (p *parser) complete() {
	if !p.given["type"] {
		p.problem("type is missing: one of oci, docker, image, registry, local, tar, cacheonly")
	}
	switch p.Type {
	case OCI:
		p.completeOCI()
	case Docker:
		p.completeDocker()
	case Image:
		p.completeImage()
	case Local:
		if !p.given["dest"] || p.Dest == Stdout {
			p.problem("type=local needs a directory as dest")
		}
		p.refuse("type=local writes the bare files", "tar", "name", "compression")
	case Tar:
		if !p.given["dest"] {
			p.problem("type=tar needs a dest: a file, or - for the standard output")
		}
		p.refuse("type=tar writes the bare files", "tar", "name", "compression")
		p.Tar = true
	case CacheOnly:
		p.refuse("type=cacheonly leaves no image", "dest", "tar", "name", "compression")
	}
	if p.Type != Image && p.Type != "" {
		p.refuse("only type=image has a registry", "push", "push-by-digest", "name-canonical", "registry.insecure")
	}
	for _, a := range p.Annotations {
		if a.Key != "" && p.Type != "" && !p.holds(a) {
			p.problem("type=%s has no place for %s: leave it out", p.Type, a.Attribute())
		}
	}
}

// completeImage follows buildx, to which type=registry is an image that is pushed. An image
// that is pushed by digest is always named by it.
func (p *parser) completeImage() {
	p.refuse("type=image goes to a registry", "dest", "tar")
	switch {
	case p.registry && p.given["push"] && !p.Push:
		p.problem("type=registry pushes: leave push=false out, or write type=image")
	case p.canonical && !p.ByDigest:
		p.problem("name-canonical requires push-by-digest=true")
	}
	p.Push = p.Push || p.registry
}

// completeOCI follows buildx: a dest is an archive unless tar=false is given. Without a
// dest it is the layout that all variants share.
func (p *parser) completeOCI() {
	switch {
	case !p.given["dest"] && p.Tar:
		p.problem("tar=true needs a dest")
	case p.given["dest"] && p.given["tar"] && !p.Tar && p.Dest == Stdout:
		p.problem("tar=false needs a directory as dest")
	case p.given["dest"] && !p.given["tar"]:
		p.Tar = true
	}
}

// completeDocker requires what any "docker load" can read: an archive without zstd, which
// the Docker of Debian 12 can't read. Without a dest, docker itself loads it.
func (p *parser) completeDocker() {
	if p.given["tar"] && !p.Tar {
		p.problem("type=docker is always an archive: leave tar=false out")
	}
	if p.Compression == Zstd {
		p.problem("type=docker can't have compression=%s: gzip or uncompressed", p.Compression)
	}
	p.Tar = true
}

// refuse reports keys that make no sense for the type.
func (p *parser) refuse(why string, keys ...string) {
	for _, key := range keys {
		if p.given[key] {
			p.problem("%s: leave %s out", why, key)
		}
	}
}
