package requirements_test

import (
	"strings"
	"testing"

	"lamina.build/internal/requirements"
)

func TestCanonicalLines(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"torch", "torch"},
		{"  Torch_Geo.x  ", "Torch_Geo.x"},
		{"torch == 2.6.0", "torch==2.6.0"},
		{"torch\t>= 2.6 ,\t< 3 , != 2.7.*", "torch>=2.6,<3,!=2.7.*"},
		{"torch (>=2, <3)", "torch>=2,<3"},
		{"torch ( )", "torch"},
		{"torch>=2,", "torch>=2"},
		{"torch==2.6.0+cu124", "torch==2.6.0+cu124"},
		{"torch~=2.6", "torch~=2.6"},
		{"torch!=v1!2.0.*", "torch!=v1!2.0.*"},
		{"torch===2.6-odd!", "torch===2.6-odd!"},
		{"torch==V1!2.0-RC.1-post2_dev3", "torch==V1!2.0-RC.1-post2_dev3"},
		{"torch>2-1", "torch>2-1"},
		{"requests [security , socks, security] >= 2.8.1", "requests[security,socks]>=2.8.1"},
		{"requests[ ]", "requests"},
		{"numpy<2 ;python_version<'3.12'", `numpy<2; python_version < "3.12"`},
		{"numpy;", "numpy"},
		{
			`numpy ; ( os.name=='a"b' or "x"   not  in sys_platform)and(python_implementation in "CPython")`,
			`numpy; (os_name == 'a"b' or "x" not in sys_platform) and (platform_python_implementation in "CPython")`,
		},
		{`numpy; extra == "a" and os_name == "b" or platform.machine != "c"`, `numpy; extra == "a" and os_name == "b" or platform_machine != "c"`},
		{`numpy; "3"<=python_version`, `numpy; "3" <= python_version`},
		{"numpy==1.0 --hash=sha256:" + strings.ToUpper(sha), "numpy==1.0 --hash=sha256:" + sha},
		{
			"numpy==1.0 --hash=sha512:" + sha + sha + " --hash sha256:" + sha + " --hash 'sha256:" + sha + "'",
			"numpy==1.0 --hash=sha256:" + sha + " --hash=sha512:" + sha + sha,
		},
		{"numpy==1.0; os_name=='a' --hash=sha256:" + sha, `numpy==1.0; os_name == "a" --hash=sha256:` + sha},

		{"x @ HTTPS://Host.example:8443/a/x.tar.gz", "x @ https://host.example:8443/a/x.tar.gz"},
		{"x[a]@https://h/x.zip;os_name=='a'", `x[a] @ https://h/x.zip ; os_name == "a"`},
		{"https://h/w/" + wheel, "torch-geo @ https://h/w/" + wheel},
		{"https://h/torch-2.6%2Bcu124-1-cp312-cp312-linux_x86_64.whl", "torch @ https://h/torch-2.6%2Bcu124-1-cp312-cp312-linux_x86_64.whl"},
		{"Torch.Geo @ https://h/" + wheel, "Torch.Geo @ https://h/" + wheel},
		{"https://h/geo-1.0.tar.xz", "https://h/geo-1.0.tar.xz"},
		{"https://h/geo-1.0.tar.xz ; os_name=='a'", `https://h/geo-1.0.tar.xz ; os_name == "a"`},
		{"https://h/geo.tar.bz2#egg=geo[x]", "geo[x] @ https://h/geo.tar.bz2"},
		{"https://h/geo.zip?v=1#subdirectory=py/&sha256=" + sha, "https://h/geo.zip?v=1#sha256=" + sha + "&subdirectory=py"},
		{"http://[::1]:80/geo.zip#subdirectory=.", "http://[::1]:80/geo.zip"},
		{"https://me@h/geo.zip", "https://h/geo.zip"},
		{"https://me:@h/geo.zip", "https://h/geo.zip"},
		{"geo @ https://${USER}:${TOKEN}@h/geo.zip", "geo @ https://h/geo.zip"},

		{"git+https://h/x.git@" + commit + "#egg=x", "x @ git+https://h/x.git@" + commit},
		{"git+http://127.0.0.1:80/x@" + strings.ToUpper(commit) + "#subdirectory=./a&egg=x", "x @ git+http://127.0.0.1:80/x@" + commit + "#subdirectory=a"},
		{"X[y] @ Git+https://H/X@z.git@" + commit + " ; os_name=='a'", "X[y] @ git+https://h/X@z.git@" + commit + ` ; os_name == "a"`},
		{"x @ git+https://${TOKEN}@h/x.git@" + commit, "x @ git+https://h/x.git@" + commit},
		{"-e git+https://h/x.git@" + commit + "#egg=x", "x @ git+https://h/x.git@" + commit},
		{"--editable=x@git+https://h/x.git@" + commit, "x @ git+https://h/x.git@" + commit},

		{"./wheels/" + wheel, "./wheels/" + wheel},
		{"wheels/../wheels//" + wheel + "[a, b]", "./wheels/" + wheel + "[a,b]"},
		{wheel + " ; os_name=='a'", "./" + wheel + ` ; os_name == "a"`},
		{"dist/geo-1.0.tar.gz", "./dist/geo-1.0.tar.gz"},
		{"./a@b/geo.zip", "./a@b/geo.zip"},
		{"file:dist/geo-1.0.tar.gz", "./dist/geo-1.0.tar.gz"},
		{"geo @ file:dist/geo%2D1.0.tar.gz", "geo @ file:dist/geo-1.0.tar.gz"},
		{"file:dist/geo-1.0.tar.gz#egg=geo[a]", "geo[a] @ file:dist/geo-1.0.tar.gz"},
		{"torch-geo[a] @ FILE:wheels/" + wheel, "./wheels/" + wheel + "[a]"},
		{"-e ./dist/geo-1.0.tar.gz", "./dist/geo-1.0.tar.gz"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got := lines(read(t, tt.text).Requirements)
			equal(t, "canonical", got, []string{tt.want})
			equal(t, "canonical again", lines(read(t, tt.want).Requirements), got)
		})
	}
}

func TestRequirements(t *testing.T) {
	s := read(t, text(
		"Torch_Geo>=1",
		"git+https://h/x.git@"+commit+"#egg=X.y&subdirectory=a/b",
		"",
		"https://h/geo.zip#sha256="+sha+"&subdirectory=c",
		"wheels/"+wheel,
		"geo @ file:dist/geo-1.0.tar.gz",
	))
	const file = "requirements.txt"
	equal(t, "requirements", s.Requirements, []requirements.Requirement{
		{Line: "Torch_Geo>=1", Name: "torch-geo", Kind: requirements.Named, File: file, At: 1},
		{
			Line: "X.y @ git+https://h/x.git@" + commit + "#subdirectory=a/b", Name: "x-y", Kind: requirements.Git,
			URL: "https://h/x.git", Commit: commit, Subdirectory: "a/b", File: file, At: 2,
		},
		{
			Line: "https://h/geo.zip#sha256=" + sha + "&subdirectory=c", Kind: requirements.URL,
			URL: "https://h/geo.zip", Subdirectory: "c", File: file, At: 4,
		},
		{Line: "./wheels/" + wheel, Name: "torch-geo", Kind: requirements.Path, Path: "wheels/" + wheel, File: file, At: 5},
		{Line: "geo @ file:dist/geo-1.0.tar.gz", Name: "geo", Kind: requirements.Path, Path: "dist/geo-1.0.tar.gz", File: file, At: 6},
	})
}

func TestNormal(t *testing.T) {
	for name, want := range map[string]string{
		"Torch": "torch", "a_b.c-d": "a-b-c-d", "A._-B": "a-b", "zope.interface": "zope-interface", "": "",
	} {
		equal(t, name, requirements.Normal(name), want)
	}
}
