package real

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

var compiler = regexp.MustCompile(`^/usr/(bin/([\w-]+-)?(cc|gcc|g\+\+|ld|as)(-\d+)?$|include/python3)|/cc1plus$`)

const closureSpec = e2etest.Compiler + `
[python]
requirements = ["requirements.txt"]
sources = ["own"]
excludes = ["cython"]
[python.build-requires]
insightface = ["cython==3.0.12", "numpy==1.26.4", "setuptools==75.8.2", "wheel==0.45.1"]
[smoke]
imports = ["cv2", "decord", "insightface", "insightface.app", "librosa", "skimage", "skimage.transform", "soundfile"]
run = [["python3", "-c", "import librosa, numpy; assert librosa.feature.rms(y=numpy.ones(4096, 'f4')).max() > 0.9; import insightface.thirdparty.face3d.mesh.cython.mesh_core_cython"], ["python3", "-c", "import decord, cv2, numpy; cv2.imwrite('/tmp/p.png', numpy.full((3, 2, 3), 7, 'u1')); assert (cv2.imread('/tmp/p.png') == 7).sum() == 18"]]
elf-ignore = ["libtbb.so.12"]
`

// Each of these has been a trap: NumPy below 2, a wheel with a wrong RECORD (decord), stubs
// that are read at import (librosa, scikit-image), libraries that no other wheel sees
// (soundfile, opencv), an sdist with undeclared build requirements, a tree whose setuptools
// needs a newer packaging than Debian's (to read a license), pictures that OpenCV can't read
// once decord is loaded (dmlc/decord#339).
func TestRealClosure(t *testing.T) {
	t.Parallel()
	testworld.RealPyPI(t)
	u := e2etest.NewUser(t)
	const own = "[build-system]\nrequires = [\"setuptools>=77\"]\n[project]\nname = \"own\"\nversion = \"1\"\nlicense = \"MIT\"\n"
	dir := e2etest.PythonProject(t, closureSpec, map[string]string{"own/pyproject.toml": own, "requirements.txt": strings.Join([]string{
		"numpy==1.26.4", "librosa==0.11.0", "scikit-image==0.25.2", "opencv-python-headless==4.11.0.86", "decord==0.6.0",
		"soundfile==0.13.1", "insightface==0.7.3", "onnxruntime==1.20.1",
	}, "\n")})
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `packages = ["python3"]`, `packages = ["libgomp1", "libstdc++6", "python3"]`)
	timed(t, "lock", func() { u.Build(t, "lock", dir) })
	l := e2etest.ReadLock(t, dir)
	t.Run("has the wheels that uv installs", func(t *testing.T) { choosesAsUV(t, l, lock.Set{Kind: lock.SetPython}) })
	var size int64
	for _, d := range l.Distributions {
		size += d.Size
	}
	if size > 400_000_000 {
		t.Errorf("it would fetch %d bytes: too many for a test", size)
	}
	timed(t, "build", func() { u.Build(t, dir) })

	site := e2etest.Site(t, u)
	for _, want := range []string{"librosa/__init__.pyi", "skimage/__init__.pyi", "skimage/transform/__init__.pyi"} {
		if !slices.Contains(site, want) {
			t.Errorf("the image has no %s", want)
		}
	}
	layout, image := u.Image(t, "production")
	for name := range e2etest.Files(t, layout, image) {
		if compiler.MatchString(name) {
			t.Errorf("the image has %s", name)
		}
	}
	r := u.Build(t, dir, "--progress", "rawjson")
	if ran, cached := e2etest.Execs(r.Stderr); len(ran) > 0 || len(cached) == 0 {
		t.Errorf("a second build ran %q again, and %d steps were cached", ran, len(cached))
	}
}
