package weights_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// forgery is what an attacker publishes instead of a model, with a matching lock.
type forgery struct {
	job      weights.Job
	layers   [][]byte
	manifest ocispec.Manifest
	config   ocispec.Image
}

// genuine is a model of two layers, published by a push.
func genuine(t *testing.T, r *testworld.Registry) forgery {
	t.Helper()
	o := options(t, r, scaled(t, model(t, "a.bin 1100000", "b/config.json 5", "b/empty 0", "b/large.txt 400000"), &hub{}))
	_, err := weights.Push(t.Context(), o)
	must(t, err)
	f := forgery{job: o.Job}
	must(t, json.Unmarshal(r.ImageManifest("acme/tiny", "1"), &f.manifest))
	must(t, json.Unmarshal(r.Blob("acme/tiny", f.manifest.Config.Digest), &f.config))
	for _, l := range f.manifest.Layers {
		f.layers = append(f.layers, r.Blob("acme/tiny", l.Digest))
	}
	return f
}

// forged publishes an image whose layers were corrupted, with matching digests.
func forged(t *testing.T, corrupt func(*forgery)) (forgery, *testworld.Registry) {
	t.Helper()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	f := genuine(t, r)
	for i := range f.layers {
		f.layers[i] = bytes.Clone(f.layers[i])
	}
	corrupt(&f)
	f.seal()
	f.put(t, r, ocispec.MediaTypeImageManifest)
	return f, r
}

// seal makes all digests match again.
func (f *forgery) seal() {
	f.config.RootFS.DiffIDs, f.job.Model.Layers = nil, nil
	f.manifest.Layers = slices.Clone(f.manifest.Layers[:len(f.layers)])
	for i, data := range f.layers {
		d := digest.FromBytes(data)
		f.manifest.Layers[i].Digest, f.manifest.Layers[i].Size = d, int64(len(data))
		f.config.RootFS.DiffIDs = append(f.config.RootFS.DiffIDs, d)
		f.job.Model.Layers = append(f.job.Model.Layers, lock.ModelLayer{Size: int64(len(data)), Digest: d, DiffID: d})
	}
}

// put publishes the forgery with a media type.
func (f *forgery) put(t *testing.T, r *testworld.Registry, mediaType string) {
	t.Helper()
	for _, data := range f.layers {
		r.AddBlob("acme/tiny", data)
	}
	config, err := json.Marshal(f.config)
	must(t, err)
	f.manifest.Config.Digest, f.manifest.Config.Size = r.AddBlob("acme/tiny", config), int64(len(config))
	f.manifest.MediaType = mediaType
	data, err := json.Marshal(f.manifest)
	must(t, err, repository(t, r, "acme/tiny").PutManifest(t.Context(), "forged", mediaType, data))
	f.job.Model.Published = r.Host + "/acme/tiny@" + digest.FromBytes(data).String()
}

// reader may only pull.
func reader(t *testing.T, r *testworld.Registry) *registry.Repository {
	t.Helper()
	repo, err := registry.Open(t.Context(), r.Host+"/acme/tiny", registry.Options{Keychain: anonymous{}, ReadOnly: true, HTTP: hasty()})
	must(t, err)
	return repo
}

// replace changes a header of a layer, and fixes its checksum.
func replace(layer []byte, name string, change func(*tar.Header)) {
	for at := 0; at+512 <= len(layer); at += 512 {
		h, err := tar.NewReader(bytes.NewReader(layer[at:])).Next()
		if err != nil || h.Name != name {
			continue
		}
		change(h)
		overwrite(layer[at:], h)
		return
	}
}

// overwrite writes a header of 512 bytes somewhere.
func overwrite(at []byte, h *tar.Header) {
	var b bytes.Buffer
	h.Format, h.PAXRecords = tar.FormatUSTAR, nil
	_ = tar.NewWriter(&b).WriteHeader(h)
	copy(at, b.Bytes()[:512])
}

// Whatever an attacker publishes instead of a model, with a lock of their own: the error
// names the entry, and nothing is merged, from a registry or from a layout.
func TestForgeriesAreTold(t *testing.T) {
	t.Parallel()
	link := &tar.Header{Name: "usr/bin/python3", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow", Mode: 0o777}
	for _, tt := range []struct {
		name, want string
		corrupt    func(*forgery)
	}{
		{"as it was", "", func(*forgery) {}},
		{"other content", "", func(f *forgery) { f.layers[0][1<<19] ^= 1 }}, // found by verifying
		{"content that looks like headers", "", func(f *forgery) { overwrite(f.layers[0][1<<19:], link) }},
		{"a setuid file", `layer "tiny/a.bin": "models/tiny/a.bin" has the mode 4755 and not the mode 0644`, func(f *forgery) {
			replace(f.layers[0], "models/tiny/a.bin", func(h *tar.Header) { h.Mode = 0o4755 })
		}},
		{"another name", `it has "usr/bin/python3" where the plan has "models/tiny/a.bin"`, func(f *forgery) {
			replace(f.layers[0], "models/tiny/a.bin", func(h *tar.Header) { h.Name = "usr/bin/python3" })
		}},
		{"another directory", `it has "etc/" where the plan has "models/"`, func(f *forgery) {
			replace(f.layers[0], "models/", func(h *tar.Header) { h.Name = "etc/" })
		}},
		{"an open directory", `"models/tiny/" has the mode 0777 and not the mode 0755`, func(f *forgery) {
			replace(f.layers[0], "models/tiny/", func(h *tar.Header) { h.Mode = 0o777 })
		}},
		{"an owner", `"models/tiny/b/config.json" has the owner 1000:0 and not the owner 0:0`, func(f *forgery) {
			replace(f.layers[1], "models/tiny/b/config.json", func(h *tar.Header) { h.Uid = 1000 })
		}},
		{"a link", `"models/tiny/b/empty" has the type '2' and not the type '0', the link "/etc/shadow" and not the link ""`, func(f *forgery) {
			replace(f.layers[1], "models/tiny/b/empty", func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/shadow" })
		}},
		{"a device", `"models/tiny/b/empty" has the type '4'`, func(f *forgery) {
			replace(f.layers[1], "models/tiny/b/empty", func(h *tar.Header) { h.Typeflag, h.Devmajor = tar.TypeBlock, 8 })
		}},
		{"a whiteout", `it has "models/tiny/b/.wh.x" where the plan has "models/tiny/b/empty"`, func(f *forgery) {
			replace(f.layers[1], "models/tiny/b/empty", func(h *tar.Header) { h.Name = "models/tiny/b/.wh.x" })
		}},
		{"a larger file, whose end hides an entry", `"models/tiny/b/large.txt" has 399000 bytes and not 400000 bytes`, func(f *forgery) {
			replace(f.layers[1], "models/tiny/b/large.txt", func(h *tar.Header) { h.Size = 399_000 })
		}},
		{"an entry after the last", `it has "usr/bin/python3", which is not in the plan`, func(f *forgery) { overwrite(f.layers[0][len(f.layers[0])-1024:], link) }},
		{"bytes after the last", `the bytes between its files differ from the plan`, func(f *forgery) { f.layers[0][len(f.layers[0])-1] = 1 }},
		{"bytes in the padding", `the bytes between its files differ from the plan`, func(f *forgery) { f.layers[0][len(f.layers[0])-1025] = 1 }},
		{"no header", `the header of "models/" is missing`, func(f *forgery) { clear(f.layers[0][:512]) }},
		{"more bytes", `layer "tiny/a.bin" has 1103360 bytes, but 1102848 in the plan`, func(f *forgery) { f.layers[0] = append(f.layers[0], make([]byte, 512)...) }},
		{"a layer more", "has 3 layers, and the plan has 2", func(f *forgery) {
			f.layers = append(f.layers, f.layers[0])
			f.manifest.Layers = append(f.manifest.Layers, f.manifest.Layers[0])
		}},
		{"another order", `layer "tiny/a.bin" has`, func(f *forgery) { slices.Reverse(f.layers) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, r := forged(t, tt.corrupt)
			_, err := f.job.CheckPublished(t.Context(), reader(t, r), t.TempDir())
			told(t, "published", err, tt.want)
			told(t, "in a layout", f.job.CheckPulled(t.Context(), f.lay(t), ""), tt.want)
		})
	}
}

// lay writes the forgery to a layout of models.
func (f *forgery) lay(t *testing.T) *layout.Layout {
	t.Helper()
	l, err := layout.Open(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	config, err := json.Marshal(f.config)
	must(t, err)
	manifest, err := json.Marshal(f.manifest)
	must(t, err)
	for _, data := range append(slices.Clone(f.layers), config, manifest) {
		desc := ocispec.Descriptor{Digest: digest.FromBytes(data), Size: int64(len(data))}
		must(t, content.WriteBlob(t.Context(), l.Store(), desc.Digest.String(), bytes.NewReader(data), desc))
	}
	must(t, l.Tag(t.Context(), f.job.LayoutTag(), ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}))
	return l
}

// told requires an error about a lie, or none if want is empty.
func told(t *testing.T, where string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", where, err)
	case want != "" && (failure.KindOf(err) != failure.Findings || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got %v, want %q", where, err, want)
	}
}

// The manifest and the configuration are compared with the lock, too.
func TestForgedManifestsAreTold(t *testing.T) {
	t.Parallel()
	nothing := digest.Digest("sha256:" + strings.Repeat("0", 64))
	for _, tt := range []struct {
		name, want string
		corrupt    func(*forgery)
	}{
		{"gzip", `layer "tiny/a.bin" is "application/vnd.oci.image.layer.v1.tar+gzip": weights are published uncompressed`, func(f *forgery) {
			f.manifest.Layers[0].MediaType = ocispec.MediaTypeImageLayerGzip
		}},
		{"Docker's", `is "application/vnd.docker.image.rootfs.diff.tar": weights`, func(f *forgery) {
			f.manifest.Layers[1].MediaType = "application/vnd.docker.image.rootfs.diff.tar"
		}},
		{"an address", "has more fields than type, digest and size", func(f *forgery) { f.manifest.Layers[0].URLs = []string{"https://evil.example/x"} }},
		{"an annotation", "has more fields than type, digest and size", func(f *forgery) {
			f.manifest.Layers[0].Annotations = map[string]string{"containerd.io/uncompressed": nothing.String()}
		}},
		{"content next to it", "has more fields", func(f *forgery) { f.manifest.Layers[0].Data = []byte("x") }},
		{"another model", "its annotations name other files", func(f *forgery) { f.manifest.Annotations[weights.Label] = nothing.String() }},
		{"other diffIDs", "its configuration has the diffIDs", func(f *forgery) { slices.Reverse(f.config.RootFS.DiffIDs) }},
		{"no diffIDs", "its configuration has the diffIDs", func(f *forgery) { f.config.RootFS.DiffIDs = nil }},
		{"a configuration of Docker", `with "application/vnd.docker.container.image.v1+json", not an image of`, func(f *forgery) {
			f.manifest.Config.MediaType = "application/vnd.docker.container.image.v1+json"
		}},
		{"another layer in the lock", ", but " + nothing.String() + " in the lock", func(f *forgery) { f.job.Model.Layers[1].Digest = nothing }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			f := genuine(t, r)
			f.seal()
			tt.corrupt(&f)
			f.put(t, r, ocispec.MediaTypeImageManifest)
			_, err := f.job.CheckPublished(t.Context(), reader(t, r), t.TempDir())
			told(t, "published", err, tt.want)
			told(t, "in a layout", f.job.CheckPulled(t.Context(), f.lay(t), ""), tt.want)
			if n := r.Calls("GET /v2/acme/tiny/blobs/*"); n > 1 {
				t.Errorf("%d blobs were read", n)
			}
		})
	}
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	f := genuine(t, r)
	f.seal()
	f.put(t, r, ocispec.MediaTypeImageIndex)
	_, err := f.job.CheckPublished(t.Context(), reader(t, r), "")
	told(t, "an index", err, "not an image of")

	// Unreadable documents, with matching digests.
	odd := []byte(`{"schemaVersion":"two"}`)
	must(t, repository(t, r, "acme/tiny").PutManifest(t.Context(), "odd", ocispec.MediaTypeImageManifest, odd))
	f.job.Model.Published = r.Host + "/acme/tiny@" + digest.FromBytes(odd).String()
	_, err = f.job.CheckPublished(t.Context(), reader(t, r), "")
	told(t, "a manifest that can't be read", err, "reading its manifest")
	f.manifest.Config.Digest = r.AddBlob("acme/tiny", []byte("no JSON"))
	f.manifest.MediaType = ocispec.MediaTypeImageManifest
	data, err := json.Marshal(f.manifest)
	must(t, err, repository(t, r, "acme/tiny").PutManifest(t.Context(), "odd", ocispec.MediaTypeImageManifest, data))
	f.job.Model.Published = r.Host + "/acme/tiny@" + digest.FromBytes(data).String()
	_, err = f.job.CheckPublished(t.Context(), reader(t, r), "")
	told(t, "a configuration that can't be read", err, "reading its configuration")
}

// A system's files instead of weights.
func TestAnImageOfFilesElsewhere(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	f := genuine(t, r)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, mode := range map[string]int64{"usr/bin/python3": 0o755, "etc/passwd": 0o644, "usr/bin/rootsh": 0o4755} {
		must(t, w.WriteHeader(&tar.Header{Name: name, Size: 1, Mode: mode}))
		_, err := w.Write([]byte("x"))
		must(t, err)
	}
	must(t, w.Close())
	f.layers = [][]byte{b.Bytes()}
	f.seal()
	f.put(t, r, ocispec.MediaTypeImageManifest)
	_, err := f.job.CheckPublished(t.Context(), reader(t, r), "")
	told(t, "evil", err, "has 1 layers, and the plan has 2")
}

// answering changes a registry's answers. A body that is shorter than announced ends with
// the connection.
func answering(change func(*httptest.ResponseRecorder) []byte, times int) testworld.Fault {
	return testworld.Around(times, func(rw http.ResponseWriter, r *http.Request, right http.Handler) { answer(rw, r, right, change) })
}

func answer(rw http.ResponseWriter, r *http.Request, right http.Handler, change func(*httptest.ResponseRecorder) []byte) {
	rec := httptest.NewRecorder()
	right.ServeHTTP(rec, r)
	data := change(rec)
	maps.Copy(rw.Header(), rec.Header())
	rw.WriteHeader(rec.Code)
	_, _ = rw.Write(data)
	if len(data) < rec.Body.Len() && rec.Header().Get("Content-Length") != "" {
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}
}

// A registry's wrong answer is a finding; no answer is not.
func TestAnswersOfARegistryOfModels(t *testing.T) {
	t.Parallel()
	half := func(rec *httptest.ResponseRecorder) []byte { return rec.Body.Bytes()[:rec.Body.Len()/2] }
	short := func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Del("Content-Length")
		return half(rec)
	}
	wrong := func(rec *httptest.ResponseRecorder) []byte {
		data := bytes.Clone(rec.Body.Bytes())
		data[len(data)/2] ^= 1
		return data
	}
	whole := testworld.Around(testworld.Always, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		r.Header.Del("Range")
		right.ServeHTTP(rw, r)
	})
	page := func(rec *httptest.ResponseRecorder) []byte {
		rec.Code = http.StatusOK
		rec.Header().Set("Content-Type", "text/html")
		rec.Header().Del("Content-Length")
		return []byte("<html>log in</html>")
	}
	endless := testworld.Around(testworld.Always, func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
		rw.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		if r.Header.Get("Range") != "" {
			rw.Header().Set("Content-Range", "bytes 0-"+strings.SplitAfter(r.Header.Get("Range"), "-")[1]+"/*")
			rw.WriteHeader(http.StatusPartialContent)
		}
		for zeros := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := rw.Write(zeros); err != nil {
				return
			}
		}
	})
	circle := testworld.Around(testworld.Always, func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(rw, r, r.URL.Path, http.StatusTemporaryRedirect)
	})
	other := func(rec *httptest.ResponseRecorder) []byte {
		rec.Header().Set("Content-Range", "bytes 7-512/*")
		return rec.Body.Bytes()
	}
	const manifests, blobs = "GET /v2/acme/tiny/manifests/**", "GET /v2/acme/tiny/blobs/*"
	for _, tt := range []struct {
		name, path string
		fault      testworld.Fault
		kind       failure.Kind // 0 if no error
		want       string
	}{
		{"half a manifest, once", manifests, answering(half, 1), 0, ""},
		{"half a manifest", manifests, answering(half, testworld.Always), failure.Transient, "reading manifest"},
		{"another manifest", manifests, answering(wrong, testworld.Always), failure.Findings, "its digest is"},
		{"a page for a manifest", manifests, answering(page, testworld.Always), failure.Findings, "its digest is"},
		{"no manifest", manifests, testworld.Status(404, testworld.Always), failure.Failure, "not found"},
		{"another configuration", blobs, answering(wrong, 1), failure.Findings, "its digest is"},
		{"no blobs", blobs, testworld.Status(404, testworld.Always), failure.Failure, "not found"},
		{"no access to blobs", blobs, testworld.Status(403, testworld.Always), failure.Usage, "403"},
		{"a broken registry", blobs, testworld.Status(500, testworld.Always), failure.Transient, "500"},
		{"half of a blob, twice", blobs, answering(half, 2), 0, ""},
		{"no ranges", blobs, whole, 0, ""},
		{"no ranges and half of the layer, once", "GET /v2/acme/tiny/blobs/LAYER", testworld.Around(1, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
			r.Header.Del("Range")
			answer(rw, r, right, half)
		}), 0, ""},
		{"ranges only at first", "GET /v2/acme/tiny/blobs/LAYER", testworld.Around(testworld.Always, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
			if !strings.HasPrefix(r.Header.Get("Range"), "bytes=0-") {
				r.Header.Del("Range")
			}
			right.ServeHTTP(rw, r)
		}), 0, ""},
		{"a manifest without an end", manifests, endless, failure.Failure, "larger than"},
		{"a manifest that redirects to itself", manifests, circle, failure.Failure, "more than 10 redirects"},
		{"a layer without an end", "GET /v2/acme/tiny/blobs/LAYER", endless, failure.Findings, "the header of"},
		{"a layer that redirects to itself", "GET /v2/acme/tiny/blobs/LAYER", circle, failure.Failure, "more than 10 redirects"},
		{"other ranges", "GET /v2/acme/tiny/blobs/LAYER", answering(other, testworld.Always), failure.Failure, "bytes 7-512"},
		{"less than that", "GET /v2/acme/tiny/blobs/LAYER", answering(short, testworld.Always), failure.Findings, "it ends after byte"},
		{"other headers", "GET /v2/acme/tiny/blobs/LAYER", answering(wrong, 1), failure.Findings, `layer "tiny/a.bin": `},
		{"a page for a layer", "GET /v2/acme/tiny/blobs/LAYER", answering(page, testworld.Always), failure.Findings, "does not match the lock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			f := genuine(t, r)
			f.seal()
			f.put(t, r, ocispec.MediaTypeImageManifest)
			r.Fail(strings.ReplaceAll(tt.path, "LAYER", f.manifest.Layers[0].Digest.String()), tt.fault)
			_, err := f.job.CheckPublished(t.Context(), reader(t, r), "")
			if (err != nil) != (tt.kind != 0) || err != nil && (failure.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v of kind %d, want %q of kind %d", err, failure.KindOf(err), tt.want, tt.kind)
			}
		})
	}
}

// A registry without ranges can't hide anything.
func TestARegistryWithoutRangesIsReadThrough(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	f := genuine(t, r)
	f.layers[0] = bytes.Clone(f.layers[0])
	overwrite(f.layers[0][len(f.layers[0])-1024:], &tar.Header{Name: "usr/bin/sh", Mode: 0o4755})
	f.seal()
	f.put(t, r, ocispec.MediaTypeImageManifest)
	r.Fail("GET /v2/acme/tiny/blobs/*", testworld.Around(testworld.Always, func(rw http.ResponseWriter, r *http.Request, right http.Handler) {
		r.Header.Del("Range")
		right.ServeHTTP(rw, r)
	}))
	_, err := f.job.CheckPublished(t.Context(), reader(t, r), "")
	told(t, "read through", err, `it has "usr/bin/sh", which is not in the plan`)
	if n := r.Calls("GET /v2/acme/tiny/blobs/" + f.manifest.Layers[0].Digest.String()); n != 1 {
		t.Errorf("the layer was requested %d times", n)
	}
}

// Pushes and pulls don't reuse a forged layer that claims to be one of the model: they make it again.
func TestForgedLayersAreMadeAnew(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	f := genuine(t, r)
	want := slices.Clone(f.manifest.Layers)
	f.layers[0] = bytes.Clone(f.layers[0])
	replace(f.layers[0], "models/tiny/a.bin", func(h *tar.Header) { h.Mode = 0o4755 })
	f.seal()
	f.put(t, r, ocispec.MediaTypeImageManifest)
	l := f.lay(t)
	f.job.Model.Layers = nil
	pushed, err := weights.Push(t.Context(), weights.PushOptions{Job: f.job, Repository: repository(t, r, "acme/tiny"), Tag: "2"})
	must(t, err)
	pulled, err := weights.Pull(t.Context(), weights.PullOptions{Job: f.job, Dir: l.Dir(), Tag: f.job.LayoutTag()})
	must(t, err)
	for _, image := range []weights.Image{pushed, pulled} {
		if diff := cmp.Diff(want, image.Layers); diff != "" {
			t.Errorf("layers (-want +got):\n%s", diff)
		}
	}
	told(t, "in the layout", f.job.CheckPulled(t.Context(), l, ""), "")
}

// Kilobytes of a layer are read, once per machine, with only the right to pull; nothing is
// read of layers made on this machine.
func TestWhatACheckReads(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true})
	files := []string{"a.bin 9000000"}
	for i := range 300 {
		files = append(files, fmt.Sprintf("small/%03d.txt 3000", i))
	}
	j := scaled(t, model(t, files...), &hub{})
	login := basic{"ann", "secret"}
	writer, err := registry.Open(t.Context(), r.Host+"/acme/tiny", registry.Options{Keychain: login, HTTP: hasty()})
	must(t, err)
	o := weights.PushOptions{Job: j, Repository: writer, Tag: "1", Journal: t.TempDir()}
	image, err := weights.Push(t.Context(), o)
	must(t, err)
	o.Model.Published, o.Model.Layers = writer.Name()+"@"+image.Manifest.Digest.String(), image.Locked()

	scopes := len(r.Scopes())
	pull, err := registry.Open(t.Context(), r.Host+"/acme/tiny", registry.Options{Keychain: login, ReadOnly: true, HTTP: hasty()})
	must(t, err)
	dir := t.TempDir()
	const blobs = "/v2/acme/tiny/blobs/*"
	config := int64(2000)
	for _, tt := range []struct {
		name, dir   string
		least, most int64
		calls       int
	}{
		{"first", dir, 300*512 + 1024, 1_100_000 + config, 4}, // small files are read with their headers
		{"second", dir, 1, config, 1},
		{"where it was made", o.Journal, 1, config, 1},
		{"nowhere", "", 300 * 512, 1_100_000 + config, 4},
	} {
		r.Forget()
		got, checkErr := o.CheckPublished(t.Context(), pull, tt.dir)
		must(t, checkErr)
		if n := r.Sent(blobs); n < tt.least || n > tt.most || r.Calls("GET "+blobs) != tt.calls || got.Manifest.Digest != image.Manifest.Digest {
			t.Errorf("%s: %d bytes of blobs in %d requests", tt.name, n, r.Calls("GET "+blobs))
		}
		if n := r.Sent("/v2/acme/tiny/blobs/" + image.Layers[0].Digest.String()); n > 5000 {
			t.Errorf("%s: %d bytes of the large file's layer", tt.name, n)
		}
	}
	for _, scope := range r.Scopes()[scopes:] {
		if scope != "repository:acme/tiny:pull" {
			t.Errorf("the right of %q was requested", scope)
		}
	}

	// A layer made on this machine can't be replaced by another.
	o.Model.Layers = nil
	mine := t.TempDir()
	image.Layers[0].Digest = digest.FromString("another")
	must(t, o.Remember(mine, image))
	_, err = o.CheckPublished(t.Context(), pull, mine)
	told(t, "another was made here", err, "but the same files produced "+image.Layers[0].Digest.String()+" here")
}

// Layers of a lock that don't fit the plan are reported before any request.
func TestLayersOfALockFitThePlan(t *testing.T) {
	t.Parallel()
	m := model(t, "a.bin 3000")
	j, err := weights.NewJob(m)
	must(t, err)
	right := lock.ModelLayer{Size: j.Layers[0].Size, Digest: digest.FromString("x"), DiffID: digest.FromString("x")}
	other := right
	other.Size++
	for _, tt := range []struct {
		name   string
		layers []lock.ModelLayer
		plan   int
		want   string
	}{
		{"none", nil, lock.ModelPlan, ""},
		{"right", []lock.ModelLayer{right}, lock.ModelPlan, ""},
		{"two", []lock.ModelLayer{right, right}, lock.ModelPlan, "it has 1 layers, and the lock has 2"},
		{"of another size", []lock.ModelLayer{other}, lock.ModelPlan, fmt.Sprintf("has %d bytes, but %d in the lock", right.Size, other.Size)},
		{"of another plan", []lock.ModelLayer{other}, lock.ModelPlan + 1, ""},
	} {
		m.Layers, m.Plan = tt.layers, tt.plan
		_, err := weights.NewJob(m)
		told(t, tt.name, err, tt.want)
	}
	m.Layers, m.Plan = []lock.ModelLayer{right}, lock.ModelPlan
	j.Model = m
	told(t, "the same", j.CheckLayers(weights.Image{Layers: []ocispec.Descriptor{{Digest: right.Digest, Size: right.Size}}}), "")
	told(t, "another", j.CheckLayers(weights.Image{Layers: []ocispec.Descriptor{{Digest: digest.FromString("y"), Size: right.Size}}}), "in the lock")
}

// A machine remembers all layers of a model or none.
func TestRememberedLayers(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, scaled(t, model(t, "a.bin 1100000", "b.txt 5"), &hub{}))
	if got := o.Remembered(o.Journal); got != nil {
		t.Errorf("before: %v", got)
	}
	image, err := weights.Push(t.Context(), o)
	must(t, err)
	if got := o.Remembered(o.Journal); !slices.Equal(got, image.Locked()) || len(got) != 2 {
		t.Errorf("got %v, want %v", got, image.Locked())
	}
	dir := t.TempDir() + "/new"
	must(t, o.Remember(dir, weights.Image{Layers: image.Layers[:1]}))
	if got := o.Remembered(dir); got != nil {
		t.Errorf("after one layer: %v", got)
	}
	must(t, o.Remember(dir, image))
	if got := o.Remembered(dir); !slices.Equal(got, image.Locked()) {
		t.Errorf("got %v", got)
	}
}
