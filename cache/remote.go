// Package cache defines what may be kept between builds and under which name: cache
// mounts on the engine, and the build cache in registries and directories. A cache
// can't change the result of a build; an empty one gives the same digests.
package cache

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Remote lists the caches that a build imports and exports.
type Remote struct {
	Imports []Entry
	Exports []Entry
}

// Entry is one cache outside the engine, in the terms of BuildKit's
// --import-cache and --export-cache.
type Entry struct {
	Type  string // "registry", "local", "inline", "gha", "s3" or "azblob"
	Attrs map[string]string
}

// Split divides the exports: those that are part of the image itself, and those
// that can be made after it.
func (r Remote) Split() (inline, apart []Entry) {
	for _, e := range r.Exports {
		if e.Type == "inline" {
			inline = append(inline, e)
		} else {
			apart = append(apart, e)
		}
	}
	return inline, apart
}

// kind is a type of cache, with the attributes that BuildKit reads for it.
type kind struct {
	name  string
	needs string // the required attribute
	attrs []string
}

// kinds returns the kinds of imports or exports. BuildKit itself ignores unknown
// attributes, so that a typing error would silently disable a cache.
func kinds(export bool) []kind {
	var (
		github = []string{"scope", "url", "url_v2", "token", "version", "timeout", "repository"} //nolint:prealloc // what follows is short
		stored = []string{"name", "prefix", "blobs_prefix", "manifests_prefix", "secret_access_key"}
		s3     = append([]string{
			"bucket", "region", "access_key_id", "session_token", "endpoint_url", "use_path_style", "disable_accept_encoding", "retry_mode", "retry_max_attempts",
		}, stored...)
		azure = append([]string{"account_url", "account_name", "container"}, stored...)
	)
	if !export {
		return []kind{
			{"registry", "ref", []string{"ref", "registry.insecure"}},
			{"local", "src", []string{"src", "tag", "digest"}},
			{"gha", "", github},
			{"s3", "bucket", s3},
			{"azblob", "account_url", azure},
		}
	}
	how := []string{"mode", "ignore-error", "compression", "force-compression", "oci-mediatypes", "image-manifest"}
	object := how[:4:4] // no manifests of registries
	return []kind{
		{"registry", "ref", append([]string{"ref", "registry.insecure"}, how...)},
		{"local", "dest", append([]string{"dest", "tag", "reset"}, how...)},
		{"inline", "", nil},
		{"gha", "", append(github, "ghtoken", "mode", "ignore-error")},
		{"s3", "bucket", slices.Concat(s3, []string{"touch_refresh", "upload_parallelism"}, object)},
		{"azblob", "account_url", append(azure, object...)},
	}
}

// ParseImport reads a cache to read from as buildx writes it:
// "type=registry,ref=registry.example/app:cache", "type=local,src=DIR", or a
// bare reference, which is of type registry.
func ParseImport(s string) (Entry, error) { return parse(s, false) }

// ParseExport reads a cache to write to as buildx writes it:
// "type=registry,ref=…,mode=max", "type=local,dest=DIR", "type=inline", or a
// bare reference. The default mode is max, since min leaves out the smoke tests and
// everything that only the builder made. The default compression is that of our images,
// zstd and forced: an engine that has once exported a layer as gzip would write that, and
// builds that import the cache would give other digests.
func ParseExport(s string) (Entry, error) {
	e, err := parse(s, true)
	if err != nil || e.Type == "inline" {
		return e, err
	}
	for key, usual := range map[string]string{"mode": "max", "compression": "zstd", "force-compression": "true"} {
		if e.Attrs[key] == "" && (key == "mode" || e.Type != "gha") { // gha has its own compression
			e.Attrs[key] = usual
		}
	}
	return e, nil
}

func parse(s string, export bool) (Entry, error) {
	e, err := fields(s)
	s = secret.ReplaceAllString(s, "$1=…") // for messages
	if err != nil {
		return Entry{}, fmt.Errorf("cache %q: %w", s, err)
	}
	return e, e.checkKind(s, export)
}

// secret matches what may be a secret attribute, even misspelled, and everything after it,
// since a value may contain quoted commas.
var secret = regexp.MustCompile(`(?is)([\w-]*(?:secret|token|key|passw)[\w-]*)\s*=.*`)

// Check reports the problems of caches made by a program.
func (r Remote) Check() error {
	problems := make([]error, 0, len(r.Imports)+len(r.Exports))
	for _, e := range r.Imports {
		problems = append(problems, e.checkKind("type="+e.Type, false))
	}
	for _, e := range r.Exports {
		problems = append(problems, e.checkKind("type="+e.Type, true))
	}
	return errors.Join(problems...)
}

// checkKind reports the problems of an entry with the text s.
func (e Entry) checkKind(s string, export bool) error {
	var names []string
	for _, k := range kinds(export) {
		if k.name == e.Type {
			return e.check(s, k.needs, k.attrs)
		}
		names = append(names, k.name)
	}
	return fmt.Errorf("cache %q: type %q is not one of %s", s, e.Type, strings.Join(names, ", "))
}

// check reports the problems of the attributes of an entry with the text s.
func (e Entry) check(s, needs string, attrs []string) error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(e.Attrs)) {
		if !slices.Contains(attrs, key) {
			problems = append(problems, fmt.Errorf("cache %q: type %s has no %q, it has %s",
				s, e.Type, key, strings.Join(attrs, ", ")))
		}
	}
	if needs != "" && e.Attrs[needs] == "" {
		problems = append(problems, fmt.Errorf("cache %q: type %s needs %s=", s, e.Type, needs))
	}
	if c := e.Attrs["compression"]; !slices.Contains([]string{"", "zstd", "gzip", "uncompressed"}, c) {
		problems = append(problems, fmt.Errorf("cache %q: compression %q is not one of zstd, gzip, uncompressed", s, c))
	}
	if mode := e.Attrs["mode"]; mode != "" && mode != "min" && mode != "max" {
		problems = append(problems, fmt.Errorf("cache %q: mode %q is neither min nor max", s, mode))
	}
	return errors.Join(problems...)
}

// For returns e for one variant and platform: a reference without a tag gets their own,
// since builds that share one would overwrite each other's cache; the same holds for the
// name of the cache at a service.
func (e Entry) For(variant, platform string) Entry {
	own := "cache-" + variant + "-" + strings.ReplaceAll(platform, "/", "-")
	key := map[string]string{"gha": "scope", "s3": "name", "azblob": "name"}[e.Type]
	if ref := e.Attrs["ref"]; ref != "" {
		if strings.ContainsAny(ref[strings.LastIndex(ref, "/")+1:], ":@") {
			return e
		}
		key, own = "ref", ref+":"+own
	} else if key == "" || e.Attrs[key] != "" {
		return e
	}
	attrs := maps.Clone(e.Attrs)
	attrs[key] = own
	return Entry{Type: e.Type, Attrs: attrs}
}

// From returns e with attributes from the variables of its service: GitHub's runners, AWS
// and Azure, as docker buildx reads them. Attributes of e itself win.
func (e Entry) From(env func(string) string) Entry {
	attrs := maps.Clone(e.Attrs)
	take := func(key string, names ...string) {
		for _, name := range names {
			if value := env(name); value != "" && attrs[key] == "" {
				attrs[key] = value
			}
		}
	}
	switch e.Type {
	case "gha":
		if v := env("ACTIONS_CACHE_SERVICE_V2"); attrs["version"] == "2" || attrs["version"] == "" && (v == "1" || strings.EqualFold(v, "true")) {
			take("url_v2", "ACTIONS_RESULTS_URL")
		}
		take("url", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL")
		take("token", "ACTIONS_RUNTIME_TOKEN")
	case "s3":
		take("region", "AWS_REGION", "AWS_DEFAULT_REGION")
		if attrs["access_key_id"] == "" { // they go together
			take("access_key_id", "AWS_ACCESS_KEY_ID")
			take("secret_access_key", "AWS_SECRET_ACCESS_KEY")
			take("session_token", "AWS_SESSION_TOKEN")
		}
	case "azblob":
		take("account_name", "BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME")
		take("container", "BUILDKIT_AZURE_STORAGE_CONTAINER")
	}
	return Entry{Type: e.Type, Attrs: attrs}
}

// Name returns the name of a cache for people, without its secrets.
func (e Entry) Name() string {
	for _, key := range []string{"ref", "dest", "src", "bucket", "account_url", "scope"} {
		if e.Attrs[key] != "" {
			return e.Type + " " + e.Attrs[key]
		}
	}
	return e.Type
}

// fields parses "type=registry,ref=…", or a lone value as a reference.
func fields(s string) (Entry, error) {
	list, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Type: "registry", Attrs: map[string]string{}}
	if len(list) == 1 && !strings.Contains(list[0], "=") {
		e.Attrs["ref"] = list[0]
		return e, nil
	}
	for _, field := range list {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return Entry{}, fmt.Errorf("%q is not key=value", field)
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if key == "type" {
			e.Type = value
			continue
		}
		if _, twice := e.Attrs[key]; twice {
			return Entry{}, fmt.Errorf("%q is given twice", key)
		}
		e.Attrs[key] = value
	}
	return e, nil
}
