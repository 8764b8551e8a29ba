package reqfile_test

import (
	"strings"
	"testing"

	"lamina.build/internal/resolve/reqfile"
)

func TestCanonicalLines(t *testing.T) {
	git := "git+https://h/x.git@" + commit
	for _, tt := range []struct{ text, want string }{
		{"torch", "torch"},
		{"  Torch_Geo.x  ", "Torch_Geo.x"},
		{"torch == 2.6.0", "torch==2.6.0"},
		{"torch\t>= 2.6 ,\t< 3 , != 2.7.*", "torch>=2.6,<3,!=2.7.*"},
		{"torch (>=2, <3)", "torch(>=2,<3)"},
		{"torch>=2,", "torch>=2,"},
		{"torch==2.6.0+cu124", "torch==2.6.0+cu124"},
		{"torch===2.6-odd!", "torch===2.6-odd!"},
		{"torch===2.6.0 ; python_version >= \"3.8\"", `torch===2.6.0 ; python_version >= "3.8"`},
		{"torch>2-1", "torch>2-1"},
		{"torch = 2.x 7", "torch=2.x 7"}, // uv says what is wrong
		{"requests [security , socks, security] >= 2.8.1", "requests[security,socks,security]>=2.8.1"},
		{"numpy<2 ;python_version<'3.12'", `numpy<2 ; python_version<'3.12'`},
		{"numpy;", "numpy"},
		{"numpy ;  os_name  == 'a/b.zip'", "numpy ; os_name == 'a/b.zip'"},
		{"numpy==1.0 --hash=sha256:" + strings.ToUpper(sha), "numpy==1.0 --hash=sha256:" + sha},
		{
			"numpy==1.0 --hash=sha512:" + sha + sha + " --hash sha256:" + sha + " --hash 'sha256:" + sha + "'",
			"numpy==1.0 --hash=sha256:" + sha + " --hash=sha512:" + sha + sha,
		},
		{"numpy==1.0; os_name=='a' --hash=sha256:" + sha, `numpy==1.0 ; os_name=='a' --hash=sha256:` + sha},

		{"x @ https://Host.example:8443/a/x.tar.gz", "x @ https://Host.example:8443/a/x.tar.gz"},
		{"x[a]@https://h/x.zip;os_name=='a'", `x[a] @ https://h/x.zip ; os_name=='a'`},
		{"https://h/w/" + wheel, "https://h/w/" + wheel},
		{"https://h/geo-1.0.tar.xz ; os_name=='a'", `https://h/geo-1.0.tar.xz ; os_name=='a'`},
		{"https://h/geo.tar.bz2#egg=geo[x]", "geo[x] @ https://h/geo.tar.bz2"},
		{"https://h/geo.zip?v=1#sha256=" + sha + "&egg=geo&subdirectory=py", "geo @ https://h/geo.zip?v=1#sha256=" + sha + "&subdirectory=py"},
		{"https://h/geo.zip#egg=geo==1", "https://h/geo.zip#egg=geo==1"},
		{"http://[::1]:80/geo.zip#subdirectory=.", "http://[::1]:80/geo.zip#subdirectory=."},
		{"https://me@h/geo.zip", "https://h/geo.zip"},
		{"https://me:@h/geo.zip", "https://h/geo.zip"},
		{"geo @ https://${USER}:${TOKEN}@h/geo.zip", "geo @ https://h/geo.zip"},

		{"x @ git+https://h/x.git", "x @ git+https://h/x.git"},
		{"x @ git+https://h/x.git@feature/y", "x @ git+https://h/x.git@feature/y"},
		{"x @ git+https://h/x.git@v1.0#egg=y", "x @ git+https://h/x.git@v1.0"},
		{"git+https://h/x.git@0123abc", "git+https://h/x.git@0123abc"},
		{git + "#egg=x", "x @ " + git},
		{git + "#egg=x#egg=x&egg=y", "x @ " + git},
		{"git+http://127.0.0.1:80/x#subdirectory=a&egg=x", "x @ git+http://127.0.0.1:80/x#subdirectory=a"},
		{git + "#egg=x&subdirectory=a", "x @ " + git + "#subdirectory=a"},
		{"X[y] @ " + git + " ; os_name=='a'", "X[y] @ " + git + ` ; os_name=='a'`},
		{"x @ git+https://${TOKEN}@h/x.git@main", "x @ git+https://h/x.git@main"},
		{"x @ git+ssh://git@h/x.git@main", "x @ git+ssh://git@h/x.git@main"},
		{"-e " + git + "#egg=x", "x @ " + git},
		{"--editable=x@" + git, "x @ " + git},
		{"-e 'x @ " + git + "'", "x @ " + git},

		{"./wheels/" + wheel, "./wheels/" + wheel},
		{"wheels/../wheels//" + wheel + " [a, b]", "./wheels/" + wheel + "[a,b]"},
		{wheel + " ; os_name=='a'", "./" + wheel + ` ; os_name=='a'`},
		{"dist/geo-1.0.tar.gz", "./dist/geo-1.0.tar.gz"},
		{"./a@b/geo.zip", "./a@b/geo.zip"},
		{"./a b.zip", "./a b.zip"},
		{"file:dist/geo-1.0.tar.gz", "./dist/geo-1.0.tar.gz"},
		{"geo @ file:dist/geo%2D1.0.tar.gz", "geo @ ./dist/geo-1.0.tar.gz"},
		{"geo[a] @ dist/geo-1.0.tar.gz", "geo[a] @ ./dist/geo-1.0.tar.gz"},
		{"file:dist/geo-1.0.tar.gz#egg=geo[a]", "geo[a] @ ./dist/geo-1.0.tar.gz"},
		{"-e ./dist/geo-1.0.tar.gz", "./dist/geo-1.0.tar.gz"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got := requirements(read(t, tt.text).Requirements)
			equal(t, "canonical", got, []string{tt.want})
			equal(t, "canonical again", requirements(read(t, tt.want).Requirements), got)
		})
	}
}

func TestRequirements(t *testing.T) {
	hash := "sha256:" + sha
	s := read(t, text(
		"Torch_Geo>=1",
		"git+https://h/x.git@"+commit+"#egg=X.y&subdirectory=a/./b",
		"",
		"https://h/geo.zip#sha256="+sha+"&subdirectory=c",
		"wheels/"+wheel,
		"geo @ file:dist/geo-1.0.tar.gz --hash="+hash,
		"git+ssh://git@h/a@b/x.git@v1 ; os_name == 'a'",
		"x[a] @ git+http://h/x",
		"https://h/"+wheel,
	))
	const file = "requirements.txt"
	equal(t, "requirements", s.Requirements, []reqfile.Requirement{
		{Line: "Torch_Geo>=1", Name: "torch-geo", Kind: reqfile.Named, Specifiers: ">=1", File: file, At: 1},
		{
			Line: "X.y @ git+https://h/x.git@" + commit + "#subdirectory=a/./b", Name: "x-y", Kind: reqfile.Git,
			URL: "https://h/x.git", Ref: commit, Subdirectory: "a/b", File: file, At: 2,
		},
		{
			Line: "https://h/geo.zip#sha256=" + sha + "&subdirectory=c", Kind: reqfile.URL,
			URL: "https://h/geo.zip", Subdirectory: "c", File: file, At: 4,
		},
		{Line: "./wheels/" + wheel, Name: "torch-geo", Kind: reqfile.Path, Path: "wheels/" + wheel, File: file, At: 5},
		{
			Line: "geo @ ./dist/geo-1.0.tar.gz", Name: "geo", Kind: reqfile.Path, Path: "dist/geo-1.0.tar.gz",
			Hashes: []string{hash}, File: file, At: 6,
		},
		{
			Line: "git+ssh://git@h/a@b/x.git@v1 ; os_name == 'a'", Kind: reqfile.Git, URL: "ssh://git@h/a@b/x.git", Ref: "v1",
			Marker: "os_name == 'a'", File: file, At: 7,
		},
		{Line: "x[a] @ git+http://h/x", Name: "x", Kind: reqfile.Git, URL: "http://h/x", File: file, At: 8},
		{Line: "https://h/" + wheel, Name: "torch-geo", Kind: reqfile.URL, URL: "https://h/" + wheel, File: file, At: 9},
	})
}

func TestParts(t *testing.T) {
	for text, want := range map[string][2]string{
		"a": {}, "a[x, y]>=1 ,<2": {">=1,<2"}, "a (>=1)": {">=1"}, "a==1; python_version > '3'": {"==1", "python_version > '3'"},
		"a @ https://h.example/a.whl ; os_name == 'nt'": {"", "os_name == 'nt'"},
	} {
		r, err := reqfile.Parse(text)
		if got := [2]string{r.Specifiers, r.Marker}; err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}
