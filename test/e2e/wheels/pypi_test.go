package wheels

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// Real wheels are odder than any others: decord's RECORD has line ends of another system,
// numpy brings bytecode and libraries, jupyterlab-widgets files below share.
func TestRealWheelsOfPyPI(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := testworld.New(t).Index(testworld.IndexOptions{JSON: true}, realWheels(t)...)
	// The rule that matches no file makes every run install numpy: a cached step prints nothing.
	dir := e2etest.PythonProject(t, fmt.Sprintf(`[python]
requirements = ["requirements.txt"]
prune = ["numpy/**/tests/**", "numpy/%d"]
[smoke]
imports = ["numpy", "six", "tqdm", "decord"]
`, time.Now().UnixNano()), map[string]string{"requirements.txt": "--index-url " + x.URL + "\nnumpy==1.26.4\nsix==1.17.0\ntqdm==4.66.5\ndecord==0.6.0\njupyterlab-widgets==3.0.13\n"})
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `packages = ["python3"]`, `packages = ["libstdc++6", "python3"]`)
	r := u.Build(t, dir)
	l, image := u.Image(t, "production")
	files := e2etest.Files(t, l, image)
	const site = "/usr/local/lib/python3.11/dist-packages/"
	for name, mode := range map[string]uint32{
		"/usr/local/bin/f2py": 0o755, "/usr/local/bin/tqdm": 0o755, site + "six.py": 0o644, site + "decord/libdecord.so": 0o755,
		site + "numpy/distutils/__pycache__/conv_template.cpython-311.pyc":                        0o644,
		"/usr/local/share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json": 0o644,
	} {
		if f, ok := files[name]; !ok || uint32(f.Mode.Perm()) != mode {
			t.Errorf("%s: there %t, mode %v", name, ok, f.Mode)
		}
	}
	for name := range files {
		notes := []string{"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", ".lock"}
		if strings.HasPrefix(name, "/usr/local/") && slices.Contains(notes, name[strings.LastIndex(name, "/")+1:]) || strings.Contains(name, "site-packages") {
			t.Errorf("the image has %s", name)
		}
	}
	if !strings.Contains(r.Stdout, "numpy/**/tests/**") {
		t.Errorf("the summary does not list pruned files:\n%s", r.Stdout)
	}
	e2etest.Verify(t, u)
}

// realWheels returns wheels that are fetched from PyPI once.
func realWheels(t *testing.T) []testworld.Distribution {
	t.Helper()
	const packages = "https://files.pythonhosted.org/packages/"
	getter := debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files"))
	var wheels []testworld.Distribution
	for path, file := range map[string]debian.File{
		"3a/d0/edc009c27b406c4f9cbc79274d6e46d634d139075492ad055e3d68445925/numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": {Size: 18252005, SHA256: "666dbfb6ec68962c033a450943ded891bed2d54e6755e35e5835d63f4f6931d5"},
		"b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/six-1.17.0-py2.py3-none-any.whl":                                         {Size: 11050, SHA256: "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"},
		"48/5d/acf5905c36149bbaec41ccf7f2b68814647347b72075ac0b1fe3022fdc73/tqdm-4.66.5-py3-none-any.whl":                                            {Size: 78351, SHA256: "90279a3770753eafc9194a0364852159802111925aa30eb3f9d85b0e805ac7cd"},
		"11/79/936af42edf90a7bd4e41a6cac89c913d4b47fa48a26b042d5129a9242ee3/decord-0.6.0-py3-none-manylinux2010_x86_64.whl":                          {Size: 13602299, SHA256: "51997f20be8958e23b7c4061ba45d0efcd86bffd5fe81c695d0befee0d442976"},
		"a9/93/858e87edc634d628e5d752ba944c2833133a28fa87bb093e6832ced36a3e/jupyterlab_widgets-3.0.13-py3-none-any.whl":                              {Size: 214392, SHA256: "e3cda2c233ce144192f1e29914ad522b2f4c40e77214b0cc97377ca3d323db54"},
	} {
		cached, err := getter.Get(t.Context(), packages+path, file)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(cached)
		if err != nil {
			t.Fatal(err)
		}
		named := filepath.Join(t.TempDir(), filepath.Base(path))
		e2etest.Write(t, named, data)
		wheels = append(wheels, testworld.FileWheel(named))
	}
	return wheels
}
